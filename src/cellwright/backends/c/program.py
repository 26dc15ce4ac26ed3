"""A cell, compiled in both directions: what its arrays are and how they are filled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from torch import Tensor

from cellwright.backends.reference.interpret import Arguments, Weights
from cellwright.passes.pipeline import Back, Forward

from .admit import Expected, flat, laid_out
from .backward_run import BackwardRun, Kept, Stored
from .forward_run import ForwardRun, Segments
from .kernel import Kernel
from .segments import segment_steps
from .slots import resolved


@dataclass(frozen=True, eq=False)
class Program:
    """Both directions of a cell for one dtype.

    Args:
        ahead: the forward step.
        back: the backward step, None where no gradient is asked for.
    """

    ahead: Forward
    back: Back | None
    kernel: Kernel
    back_kernel: Kernel | None

    def forward(
        self,
        sizes: Mapping[str, int],
        roots: Sequence[Tensor],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run all steps.

        Args:
            sizes: every named size.
            roots: values of the schedule's roots.
            inputs: ``[T, B, n]`` or ``[T, B]``, in the order of the graph.
            states: first values, ``[B, n]`` or ``[B]``.

        Returns:
            The arrays of the schedule's outputs, and the last states.

        Raises:
            TensorError: for a tensor of another dtype, shape or device.
        """
        run = self._run(sizes, roots, inputs, states)
        arrays = [run.array(node, run.steps) for node in run.outputs]
        last = run.new_states()
        whole = [(array, 0) for array in arrays]
        run.walk((0, run.steps), run.states, last, whole)
        return arrays, last

    def forward_in_segments(
        self,
        sizes: Mapping[str, int],
        roots: Sequence[Tensor],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Run all steps, and keep the states between segments alone.

        Args and Raises as in `forward`.

        Returns:
            The arrays of what is given out, the states before each segment but the
            first, ``[N, B, n]``, and the last states.
        """
        run = self._run(sizes, roots, inputs, states)
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
        sizes: Mapping[str, int],
        roots: Sequence[Tensor],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        saved: Mapping[int, Tensor],
        arriving: Mapping[str, Tensor],
        adjoints: Sequence[Tensor],
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Run all steps backwards.

        Args:
            sizes: every named size.
            roots: values of the forward schedule's roots.
            inputs: as in `forward`.
            states: as in `forward`.
            saved: the forward arrays that the backward step reads, by their nodes.
            arriving: gradients of the output and of traces, by the graph's names.
            adjoints: gradients of the last states.

        Returns:
            Gradients of inputs and roots by name, and of the first states.
        """
        kept = Stored(self.ahead, saved, [flat(state) for state in states])
        return self._back_run(sizes, inputs, arriving, kept).through(
            self._weights(sizes, roots, inputs[0]), adjoints
        )

    def backward_in_segments(
        self,
        sizes: Mapping[str, int],
        roots: Sequence[Tensor],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        between: Sequence[Tensor],
        arriving: Mapping[str, Tensor],
        adjoints: Sequence[Tensor],
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Run all steps backwards; what they read is made anew, by segments.

        Args:
            sizes: as in `backward`, like all that is not told here.
            roots: likewise.
            inputs: likewise.
            states: likewise.
            between: the states between segments, as `forward_in_segments` gave them.
            arriving: likewise.
            adjoints: likewise.

        Returns:
            What `backward` returns, to the bit.
        """
        run = self._run(sizes, roots, inputs, states)
        kept = Segments(run, between, self.segment(sizes, run.steps, run.rows))
        return self._back_run(sizes, inputs, arriving, kept).through(
            self._weights(sizes, roots, inputs[0]), adjoints
        )

    def _run(
        self,
        sizes: Mapping[str, int],
        roots: Sequence[Tensor],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ) -> ForwardRun:
        expected = _expected(self, tuple(sizes.items()))
        return ForwardRun(
            self.ahead, self.kernel, expected, sizes, roots, inputs, states
        )

    def _back_run(
        self,
        sizes: Mapping[str, int],
        inputs: Sequence[Tensor],
        arriving: Mapping[str, Tensor],
        kept: Kept,
    ) -> BackwardRun:
        assert self.back is not None
        assert self.back_kernel is not None
        names = [each.name for each in self.ahead.schedule.graph.inputs]
        given = dict(zip(names, inputs, strict=True))
        return BackwardRun(
            self.back, self.back_kernel, sizes, {**given, **arriving}, kept, inputs[0]
        )

    def _weights(
        self, sizes: Mapping[str, int], roots: Sequence[Tensor], like: Tensor
    ) -> list[Tensor]:
        ahead = self.ahead
        names = [ahead.names[node] for node in ahead.schedule.roots]
        given = dict(zip(names, roots, strict=True))
        values = self._back_roots.values(Arguments(sizes, given, {}), like)
        return laid_out(values)

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
