"""A cell, compiled in both directions: what its arrays are and how they are filled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

from torch import Tensor

from cellwright.backends.reference.interpret import Arguments, Weights
from cellwright.passes.pipeline import Back, Forward

from .admit import Expected, admit, flat, laid_out
from .backward_run import BackwardRun, Kept, Stored
from .forward_run import ForwardRun, Segments
from .kernel import Kernel
from .outer_plan import OuterPlan
from .roots import Roots
from .segments import segment_steps
from .slots import resolved
from .stepper import Stepper
from .tape import Scripts, Tape

_NONE: Mapping[int, Tensor] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Program:
    """Both directions of a cell for one dtype.

    Args:
        ahead: the forward step.
        back: the backward step, None where no gradient is asked for.
        kernel: of the forward step.
        back_kernel: of the backward step.
        slopes: whether that one computes the gradients of inputs.
    """

    ahead: Forward
    back: Back | None
    kernel: Kernel
    back_kernel: Kernel | None
    slopes: bool = True
    scripts: Scripts = field(default_factory=Scripts, init=False)

    def forward(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        last: Sequence[Tensor] | None = None,
        arrays: Mapping[int, Tensor] = _NONE,
    ) -> tuple[list[Tensor], Sequence[Tensor]]:
        """Run all steps.

        Args:
            tape: does what the run asks for.
            sizes: every named size.
            roots: of the call.
            inputs: ``[T, B, n]`` or ``[T, B]``, in the order of the graph.
            states: first values, ``[B, n]`` or ``[B]``.
            last: where the last states go, each in a row; None for new memory.
            arrays: where outputs go, by their nodes; new memory for all others.

        Returns:
            The arrays of the schedule's outputs, and the last states.

        Raises:
            TensorError: for a tensor of another dtype, shape or device.
        """
        run = self._run(tape, sizes, roots, inputs, states)
        found = [
            arrays[node] if node in arrays else run.array(node, run.steps)
            for node in run.outputs
        ]
        last = run.new_states() if last is None else last
        run.walk((0, run.steps), run.states, last, [(array, 0) for array in found])
        return found, last

    def stepper(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> Stepper:
        """Return what runs one step after the other.

        Args and Raises as in `forward`; of the inputs there is one step.
        """
        return Stepper(self._run(tape, sizes, roots, inputs, states))

    def forward_in_segments(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Run all steps, and keep the states between segments alone.

        Args and Raises as in `forward`.

        Returns:
            The arrays of what is given out, the states before each segment but the
            first, ``[N, B, n]``, and the last states.
        """
        run = self._run(tape, sizes, roots, inputs, states)
        return run.in_segments(self.segment(sizes, run.steps, run.rows))

    def segment(self, sizes: Mapping[str, int], steps: int, rows: int) -> int:
        """Return the steps of a segment, see `segment_steps`."""
        schedule = self.ahead.schedule
        graph = schedule.graph
        states = sum(math.prod(resolved(s.shape, sizes)) for s in graph.states)
        residuals = sum(
            math.prod(resolved(graph.nodes[node].shape, sizes))
            for node in schedule.outputs
        )
        return segment_steps(steps, rows, states, residuals)

    def backward(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        saved: Mapping[int, Tensor],
        arriving: Mapping[str, Tensor],
        adjoints: Sequence[Tensor],
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Run all steps backwards.

        Args:
            tape: does what the run asks for.
            sizes: every named size.
            roots: of the call.
            inputs: as in `forward`.
            states: as in `forward`.
            saved: the forward arrays that the backward step reads, by their nodes.
            arriving: gradients of the output and of traces, by the graph's names.
            adjoints: gradients of the last states.

        Returns:
            Gradients of inputs and roots by name, and of the first states.
        """
        kept = Stored(self.ahead, saved, [flat(state) for state in states])
        return self._through(tape, sizes, roots, inputs, arriving, kept, adjoints)

    def backward_in_segments(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        between: Sequence[Tensor],
        arriving: Mapping[str, Tensor],
        adjoints: Sequence[Tensor],
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Run all steps backwards; what they read is made anew, by segments.

        Args:
            tape: as in `backward`, like all that is not told here.
            sizes: likewise.
            roots: likewise.
            inputs: likewise.
            states: likewise.
            between: the states between segments, as `forward_in_segments` gave them.
            arriving: likewise.
            adjoints: likewise.

        Returns:
            What `backward` returns, to the bit.
        """
        run = self._run(tape, sizes, roots, inputs, states)
        kept = Segments(run, between, self.segment(sizes, run.steps, run.rows))
        return self._through(tape, sizes, roots, inputs, arriving, kept, adjoints)

    def _run(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> ForwardRun:
        expected = _expected(self, tuple(sizes.items()))
        own = (self.ahead, self.kernel, expected)
        return ForwardRun(*own, sizes, roots, tape, inputs, states)

    def _through(
        self,
        tape: Tape,
        sizes: Mapping[str, int],
        roots: Roots,
        inputs: Sequence[Tensor],
        arriving: Mapping[str, Tensor],
        kept: Kept,
        adjoints: Sequence[Tensor],
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        assert self.back is not None
        assert self.back_kernel is not None
        ahead, x = self.ahead, inputs[0]
        tensors = roots.tensors()
        # Between the two passes a layer may have been converted.
        admit(tensors, _expected(self, tuple(sizes.items()))[2], (), x.dtype)
        names = [each.name for each in ahead.schedule.graph.inputs]
        given = dict(zip(names, inputs, strict=True))

        names = [ahead.names[node] for node in ahead.schedule.roots]
        named = dict(zip(names, tensors, strict=True))
        values = self._back_roots.values(Arguments(sizes, named, {}), x)
        run = BackwardRun(
            self.back,
            self.back_kernel,
            self._plan,
            sizes,
            {**given, **arriving},
            kept,
            x,
            tape,
        )
        return run.through(laid_out(values), adjoints)

    @cached_property
    def _plan(self) -> OuterPlan:
        assert self.back is not None
        back = self.back
        learned = [n for name, n in back.gradients.items() if name not in back.inputs]
        matrices = [n for n in learned if n not in back.schedule.sums]
        return OuterPlan(back.schedule, matrices, back.whole)

    @cached_property
    def _back_roots(self) -> Weights:
        assert self.back is not None
        return Weights(self.back.schedule.graph, self.back.schedule.roots)


@lru_cache(maxsize=512)
def _expected(
    program: Program, sizes: tuple[tuple[str, int], ...]
) -> tuple[list[Expected], list[Expected], list[Expected]]:
    """Return what inputs, states and roots are at some sizes."""
    ahead = program.ahead
    graph, known = ahead.schedule.graph, dict(sizes)
    roots = [
        Expected(ahead.names[node], tuple(resolved(graph.nodes[node].shape, known)))
        for node in ahead.schedule.roots
    ]
    inputs, states = (
        [Expected(one.name, tuple(resolved(one.shape, known))) for one in declared]
        for declared in (graph.inputs, graph.states)
    )
    return inputs, states, roots
