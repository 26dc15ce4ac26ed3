"""A compiled cell's two kernels on plain lists of tensors, in one fixed order.

Inputs, first states and roots come first, then, for the backward one, what the forward
one kept, and the gradients that arrive: of the output, of traces, of the last states.
What is kept is arrays of all steps (``memory="store"``) or the states between segments
(``"recompute"``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cellwright.backends.c.program import Program
from cellwright.backends.c.segments import boundary_count
from cellwright.passes.differentiate import OUTPUT

Memory = Literal["store", "recompute"]
"""What a forward pass keeps for the backward one."""


class Forwarded(NamedTuple):
    """What a forward kernel leaves.

    Args:
        arrays: of `Compiled.out_nodes`, ``[T, B, ...]``.
        between: the states between segments, ``[N, B, ...]``; none for ``"store"``.
        last: the last states.
    """

    arrays: list[Tensor]
    between: list[Tensor]
    last: list[Tensor]


@dataclass(frozen=True)
class Compiled:
    """A compiled cell at given sizes.

    Args:
        program: its kernels.
        sizes: every named size.
        trace: names of the values that it gives out.
        memory: what the forward pass keeps.
    """

    program: Program
    sizes: Mapping[str, int]
    trace: tuple[str, ...]
    memory: Memory

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of inputs, states and roots."""
        schedule = self.program.ahead.schedule
        graph = schedule.graph
        return len(graph.inputs), len(graph.states), len(schedule.roots)

    @property
    def anew(self) -> bool:
        """Whether the backward pass runs the forward kernel once more."""
        return self.memory == "recompute"

    @property
    def out_nodes(self) -> list[int]:
        """The outputs whose arrays leave the forward kernel, in their order."""
        ahead = self.program.ahead
        return ahead.given_out if self.anew else list(ahead.schedule.outputs)

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


def forward_shapes(compiled: Compiled, tensors: Sequence[Tensor]) -> Forwarded:
    """Return memory of the shapes that `forward_arrays` returns, without values."""
    inputs, states, _, _ = compiled.split(tensors)
    x, program = inputs[0], compiled.program
    steps, rows = x.shape[:2]
    nodes = program.ahead.schedule.graph.nodes
    shapes = [
        tuple(size.evaluate(compiled.sizes) for size in nodes[node].shape)
        for node in compiled.out_nodes
    ]
    arrays = [x.new_empty((steps, rows, *shape)) for shape in shapes]
    between: list[Tensor] = []
    if compiled.anew:
        count = boundary_count(steps, program.segment(compiled.sizes, steps, rows))
        between = [state.new_empty((count, *state.shape)) for state in states]
    return Forwarded(arrays, between, [s.new_empty(s.shape) for s in states])


def forward_arrays(compiled: Compiled, tensors: Sequence[Tensor]) -> Forwarded:
    """Run the forward kernel."""
    inputs, states, roots, _ = compiled.split(tensors)
    given = compiled.sizes, roots, inputs, states
    if compiled.anew:
        return Forwarded(*compiled.program.forward_in_segments(*given))
    arrays, last = compiled.program.forward(*given)
    return Forwarded(arrays, [], last)


def backward_arrays(compiled: Compiled, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of inputs, first states and roots."""
    inputs, states, roots, rest = compiled.split(tensors)
    program, ahead = compiled.program, compiled.program.ahead
    nodes = compiled.saved_nodes
    kept = len(states) if compiled.anew else len(nodes)
    output, *given = rest[kept:]
    names = [OUTPUT, *(f"d.{name}" for name in compiled.trace)]
    arriving = dict(zip(names, [output, *given], strict=False))
    last = given[len(compiled.trace) :]
    own = compiled.sizes, roots, inputs, states
    if compiled.anew:
        found, first = program.backward_in_segments(*own, rest[:kept], arriving, last)
    else:
        saved = dict(zip(nodes, rest, strict=False))
        found, first = program.backward(*own, saved, arriving, last)
    slopes = [found.get(i.name) for i in ahead.schedule.graph.inputs]
    weights = [found.get(ahead.names[root]) for root in ahead.schedule.roots]
    pairs = zip(tensors, [*slopes, *first, *weights], strict=False)
    return [torch.zeros_like(t) if g is None else g for t, g in pairs]
