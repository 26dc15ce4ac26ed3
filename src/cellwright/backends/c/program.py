"""A cell, compiled in both directions: what its arrays are and how they are filled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from cellwright.backends.reference.interpret import Arguments, Weights
from cellwright.passes.pipeline import Back, Forward

from .admit import Expected, admit, flat, laid_out
from .gradients import Outers
from .kernel import Given, Kernel, Lagging
from .slots import resolved

CHUNK_ROWS = 2048
"""Rows, steps times batch, that the backward pass goes through at a time: their
gradients stay in the cache until the matrix products that need them."""


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
        schedule = self.ahead.schedule
        graph = schedule.graph
        steps, rows = inputs[0].shape[:2]
        leads = ((steps, rows), (rows,), ())
        expected = _expected(self, tuple(sizes.items()))
        for values, each, lead in zip(
            (inputs, states, roots), expected, leads, strict=True
        ):
            admit(values, each, lead, inputs[0].dtype)
        shapes = [graph.nodes[node].shape for node in schedule.outputs]
        arrays = [
            inputs[0].new_empty((steps, rows, *resolved(shape, sizes)))
            for shape in shapes
        ]
        last = [
            torch.empty_like(s, memory_format=torch.contiguous_format) for s in states
        ]
        self.kernel.run(
            resolved(self.kernel.sizes, sizes),
            (rows, 0, steps),
            laid_out(roots),
            [flat(given) for given in inputs],
            list(zip(map(flat, states), last, strict=True)),
            [(array, 0) for array in arrays],
            [],
        )
        return arrays, last

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
        run = _BackwardRun(self, sizes, inputs, states, saved, arriving)
        return run.through(self._weights(sizes, roots, inputs[0]), adjoints)

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


class _BackwardRun:
    """One walk back through a sequence, chunk by chunk."""

    def __init__(
        self,
        program: Program,
        sizes: Mapping[str, int],
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        saved: Mapping[int, Tensor],
        arriving: Mapping[str, Tensor],
    ):
        assert program.back is not None
        assert program.back_kernel is not None
        self.back, self.kernel = program.back, program.back_kernel
        self.schedule = self.back.schedule
        self.sizes = sizes
        self.steps, self.rows = inputs[0].shape[:2]
        self.like = inputs[0]
        graph = program.ahead.schedule.graph
        known: dict[str, Given] = {
            i.name: flat(given) for i, given in zip(graph.inputs, inputs, strict=True)
        }
        firsts = {s.name: flat(v) for s, v in zip(graph.states, states, strict=True)}
        for name, node in program.ahead.saved.items():
            array = saved[node]
            lags = name in firsts
            known[name] = Lagging(firsts[name], array) if lags else array
        known |= {name: flat(value) for name, value in arriving.items()}
        self.given = [known[i.name] for i in self.schedule.graph.inputs]
        self.named = {i.name: known[i.name] for i in self.schedule.graph.inputs}

    def through(
        self, roots: Sequence[Tensor], adjoints: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return gradients by name, and of the first states."""
        schedule, back = self.schedule, self.back
        chunk = max(1, min(self.steps, -(-CHUNK_ROWS // max(1, self.rows))))
        whole = {
            node: self._array(node, self.steps)
            for name, node in back.gradients.items()
            if node in schedule.outputs and name in back.inputs
        }
        outers = Outers(schedule, self.sizes, self.like, chunk, self.rows, list(whole))
        sums = self._zeros(schedule.sums)
        lengths = resolved(self.kernel.sizes, self.sizes)
        carried = [flat(adjoint) for adjoint in adjoints]
        for begin in reversed(range(0, self.steps, chunk)):
            span = (self.rows, begin, min(begin + chunk, self.steps))
            last = [
                torch.empty_like(c, memory_format=torch.contiguous_format)
                for c in carried
            ]
            outputs = [
                (whole[node], 0) if node in whole else (outers.arrays[node], begin)
                for node in schedule.outputs
            ]
            states = list(zip(carried, last, strict=True))
            self.kernel.run(lengths, span, roots, self.given, states, outputs, sums)
            outers.add(begin, span[2], whole, self.named)
            carried = last
        # One node, such as 0, can be both the gradient of an input and of a root.
        summed = dict(zip(schedule.sums, sums, strict=True))
        gradients = {
            name: summed[node] if node in summed else outers.total(node)
            for name, node in back.gradients.items()
            if name not in back.inputs
        }
        gradients |= {
            name: whole[node]
            for name, node in back.gradients.items()
            if name in back.inputs and node in whole
        }
        return gradients, carried

    def _array(self, node: int, steps: int) -> Tensor:
        shape = resolved(self.schedule.graph.nodes[node].shape, self.sizes)
        return self.like.new_empty((steps, self.rows, *shape))

    def _zeros(self, nodes: Sequence[int]) -> list[Tensor]:
        """Return zeros for sums, one behind the other in one piece of memory."""
        shapes = [self.schedule.graph.nodes[node].shape for node in nodes]
        resolved_shapes = [resolved(shape, self.sizes) for shape in shapes]
        counts = [math.prod(shape) for shape in resolved_shapes]
        parts = self.like.new_zeros(sum(counts)).split(counts)
        return [
            part.view(shape) for part, shape in zip(parts, resolved_shapes, strict=True)
        ]


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
