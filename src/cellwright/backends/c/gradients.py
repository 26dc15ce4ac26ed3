"""Gradients of matrices: what the loop leaves of them, multiplied up in large pieces.

A matrix's gradient is a sum of outer products over all steps and rows. The loop writes
their left sides next to one another, so that one product of two matrices serves all
that share a right side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from cellwright.passes.phases import Schedule

from .kernel import Given, Lagging, OuterProducts, add_outer_products, steps_of
from .outer_plan import Group, Layout
from .tape import Tape


class Outers:
    """The outer products of a backward pass.

    Args:
        schedule: of the backward step.
        layout: of its products.
        tape: does what is asked for.
        steps: of one chunk.
        rows: of the batch.

    Attributes:
        arrays: of the left sides, ``[steps, rows, length]``, by their nodes.
    """

    def __init__(
        self, schedule: Schedule, layout: Layout, tape: Tape, steps: int, rows: int
    ):
        self._schedule = schedule
        self._layout = layout
        self._tape = tape
        self._rows = rows
        self._buffers: list[Tensor] = []
        self.arrays: dict[int, Tensor] = {}
        for buffer in layout.buffers:
            members = buffer.members
            memory = tape.hidden((steps, rows, len(members), buffer.length))
            self._buffers.append(memory)
            self.arrays.update(zip(members, memory.unbind(2), strict=True))
        self._totals = [tape.empty(group.shape) for group in layout.groups]
        self._is_fresh = True

    def add(
        self,
        begin: int,
        end: int,
        whole: Mapping[int, Tensor],
        named: Mapping[str, Given],
    ) -> None:
        """Add a chunk's products, from the arrays that it has filled.

        Args:
            begin: the chunk's first step.
            end: the step behind its last one.
            whole: arrays of nodes that hold all steps.
            named: the backward graph's inputs.
        """
        if not self._rows:
            return
        products: list[OuterProducts] = []
        for group, total in zip(self._layout.groups, self._totals, strict=True):
            left = self._lefts(group, begin, end, whole, named)
            right, first = self._value(group.right, whole, named), None
            if right is None:
                rows = self._alone(group.right, begin, end)
            elif isinstance(right, Lagging):
                late = 1 + right.begin
                rows = _as_rows(right.after[max(begin, 1) - late : end - late])
                first = right.first if begin == 0 else None
                if first is not None and not len(rows):
                    rows, first = first, None
            else:
                rows = _as_rows(steps_of(right, begin, end))
            products += _products(group, total, left, rows, first)
        add_outer_products(self._tape, products, self._is_fresh)
        self._is_fresh = False

    def _value(
        self, node: int, whole: Mapping[int, Tensor], named: Mapping[str, Given]
    ) -> Given | None:
        if node in whole:
            return whole[node]
        found = self._schedule.graph.nodes[node]
        return named[str(found.attr)] if found.op == "input" else None

    def _lefts(
        self,
        group: Group,
        begin: int,
        end: int,
        whole: Mapping[int, Tensor],
        named: Mapping[str, Given],
    ) -> Tensor:
        """Return the left sides of some steps as ``[steps * rows, entries]``."""
        if group.buffer is not None:
            return self._part(group.buffer, group.first, len(group.lefts), end - begin)
        value = self._value(group.lefts[0], whole, named)
        assert value is not None
        assert not isinstance(value, Lagging)
        return _as_rows(steps_of(value, begin, end))

    def _alone(self, node: int, begin: int, end: int) -> Tensor:
        for which, buffer in enumerate(self._layout.buffers):
            if node in buffer.members:
                return self._part(which, buffer.members.index(node), 1, end - begin)
        raise AssertionError(node)

    def _part(self, which: int, first: int, count: int, steps: int) -> Tensor:
        each = self._layout.buffers[which].length
        rows = self._buffers[which].flatten(2).flatten(0, 1)[: steps * self._rows]
        return rows[:, first * each : (first + count) * each]

    def total(self, node: int) -> Tensor:
        """Return a matrix's gradient."""
        layout = self._layout
        parts = [self._totals[which][at] for which, at in layout.totals[node]]
        if self._is_fresh or not parts:
            return self._tape.zeros(layout.shapes[node])
        return sum(parts[1:], start=parts[0])


def _products(
    group: Group, total: Tensor, left: Tensor, right: Tensor, first: Tensor | None
) -> Sequence[OuterProducts]:
    """Return what is to be added for ``left [N, m]`` and ``right [N, n]``."""
    if group.heads == 1:
        return [OuterProducts(left, right, total, 1, first)]
    pairs = zip(left.chunk(len(group.lefts), 1), total, strict=True)
    return [
        OuterProducts(part, right, each, group.heads, first) for part, each in pairs
    ]


def _as_rows(value: Tensor) -> Tensor:
    """Return ``[T, B, n]`` or ``[T, B]`` as ``[T * B, n]``, T and B maybe 0."""
    return value.flatten(0, 1) if value.dim() > 2 else value.reshape(-1, 1)
