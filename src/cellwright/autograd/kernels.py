"""A compiled cell's two kernels on plain lists of tensors, in one fixed order.

Inputs, first states and roots come first, then, for the backward one, what the forward
one kept, and the gradients that arrive: of the output, of traces, of the last states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwright.backends.c.program import Program
from cellwright.passes.differentiate import OUTPUT


@dataclass(frozen=True)
class Compiled:
    """A compiled cell at given sizes.

    Args:
        program: its kernels.
        sizes: every named size.
        trace: names of the values that it gives out.
    """

    program: Program
    sizes: Mapping[str, int]
    trace: tuple[str, ...]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of inputs, states and roots."""
        schedule = self.program.ahead.schedule
        graph = schedule.graph
        return len(graph.inputs), len(graph.states), len(schedule.roots)

    @property
    def saved_nodes(self) -> list[int]:
        """The outputs that the backward kernel reads, in the order of the outputs."""
        ahead = self.program.ahead
        needed = set(ahead.saved.values())
        return [node for node in ahead.schedule.outputs if node in needed]

    def split(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], ...]:
        """Return inputs, states, roots, and what comes behind."""
        inputs, states, roots = self.counts
        a, b, c = inputs, inputs + states, inputs + states + roots
        return tensors[:a], tensors[a:b], tensors[b:c], tensors[c:]


def output_shapes(compiled: Compiled) -> list[tuple[int, ...]]:
    """Return the shape of each array at one step and row."""
    schedule = compiled.program.ahead.schedule
    return [
        tuple(
            size.evaluate(compiled.sizes) for size in schedule.graph.nodes[node].shape
        )
        for node in schedule.outputs
    ]


def forward_arrays(
    compiled: Compiled, tensors: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the arrays of the schedule's outputs, and the last states."""
    inputs, states, roots, _ = compiled.split(tensors)
    return compiled.program.forward(compiled.sizes, roots, inputs, states)


def backward_arrays(compiled: Compiled, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of inputs, first states and roots."""
    inputs, states, roots, rest = compiled.split(tensors)
    ahead = compiled.program.ahead
    nodes = compiled.saved_nodes
    saved = dict(zip(nodes, rest, strict=False))
    output, *given = rest[len(nodes) :]
    names = [OUTPUT, *(f"d.{name}" for name in compiled.trace)]
    arriving = dict(zip(names, [output, *given], strict=False))
    last = given[len(compiled.trace) :]
    found, first = compiled.program.backward(
        compiled.sizes, roots, inputs, states, saved, arriving, last
    )
    own = [found.get(i.name) for i in ahead.schedule.graph.inputs]
    weights = [found.get(ahead.names[root]) for root in ahead.schedule.roots]
    pairs = zip(tensors, [*own, *first, *weights], strict=False)
    return [torch.zeros_like(t) if g is None else g for t, g in pairs]
