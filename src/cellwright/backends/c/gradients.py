"""Gradients of matrices: what the loop leaves of them, multiplied up in large pieces.

A matrix's gradient is a sum of outer products over all steps and rows. The loop writes
their left sides next to one another, so that one product of two matrices serves all
that share a right side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from cellwright.ir.ops import Attr
from cellwright.ir.sizes import Size
from cellwright.passes.schedule import Schedule, outer_products

from .kernel import Given, Lagging, add_outer_products, steps_of
from .slots import resolved


@dataclass(frozen=True)
class _Group:
    """Outer products with one right side, whose left sides lie side by side.

    Args:
        lefts: the left sides.
        right: the right side.
        blocks: as the outer products have it.
        heads: blocks on the diagonal, 1 for plain matrices.
        total: the sums of all left sides, ``[lefts, ...]``.
    """

    lefts: tuple[int, ...]
    right: int
    blocks: Attr
    heads: int
    total: Tensor

    def products(
        self, left: Tensor, right: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor, int]]:
        """Return what is to be added for ``left [N, m]`` and ``right [N, n]``."""
        if self.heads == 1:
            return [(left, right, self.total, 1)]
        each = left.chunk(len(self.lefts), 1)
        pairs = zip(each, self.total, strict=True)
        return [(part, right, total, self.heads) for part, total in pairs]


class Outers:
    """The outer products of a backward pass.

    Args:
        schedule: of the backward step.
        sizes: every named size.
        like: a tensor of the right dtype and device.
        steps: of one chunk.
        rows: of the batch.
        elsewhere: nodes whose arrays are given in `add`.
    """

    def __init__(
        self,
        schedule: Schedule,
        sizes: Mapping[str, int],
        like: Tensor,
        steps: int,
        rows: int,
        elsewhere: Sequence[int],
    ):
        self._schedule = schedule
        self._sizes = sizes
        self._like = like
        self._rows = rows
        self._buffers: dict[Size, tuple[Tensor, list[int]]] = {}
        self.arrays: dict[int, Tensor] = {}
        self._lay_out(steps, [n for n in schedule.outputs if n not in elsewhere])
        self._groups = list(self._grouped())

    def _lay_out(self, steps: int, nodes: Sequence[int]) -> None:
        """Give nodes of one length a buffer ``[steps, rows, nodes, length]``."""
        by_length: dict[Size, list[int]] = {}
        for node in nodes:
            by_length.setdefault(self._schedule.graph.nodes[node].shape[0], []).append(
                node
            )
        for size, members in by_length.items():
            shape = (steps, self._rows, len(members), size.evaluate(self._sizes))
            buffer = self._like.new_empty(shape)
            self._buffers[size] = (buffer, members)
            self.arrays.update(zip(members, buffer.unbind(2), strict=True))

    def _grouped(self) -> list[_Group]:
        nodes = self._schedule.graph.nodes
        found: dict[tuple[int, Attr], list[int]] = {}
        for outer in self._schedule.after:
            (left, right), blocks = nodes[outer].args, nodes[outer].attr
            found.setdefault((right, blocks), []).append(left)
        return [
            self._group(run, right, blocks)
            for (right, blocks), lefts in found.items()
            for run in self._side_by_side(lefts)
        ]

    def _group(self, lefts: Sequence[int], right: int, blocks: Attr) -> _Group:
        nodes = self._schedule.graph.nodes
        heads = blocks.evaluate(self._sizes) if isinstance(blocks, Size) else 1
        m, n = (nodes[i].shape[0].evaluate(self._sizes) for i in (lefts[0], right))
        shape = (m, n) if blocks is None else (heads, m // heads, n // heads)
        total = self._like.new_zeros((len(lefts), *shape))
        return _Group(tuple(lefts), right, blocks, heads, total)

    def _side_by_side(self, lefts: Sequence[int]) -> list[list[int]]:
        places = {
            node: (str(size), at)
            for size, (_, members) in self._buffers.items()
            for at, node in enumerate(members)
        }
        runs: list[list[int]] = []
        for left in sorted((n for n in lefts if n in places), key=places.__getitem__):
            size, at = places[left]
            if runs and places[runs[-1][-1]] == (size, at - 1):
                runs[-1].append(left)
            else:
                runs.append([left])
        return [*runs, *([left] for left in lefts if left not in places)]

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
        products: list[tuple[Tensor, Tensor, Tensor, int]] = []
        for group in self._groups:
            left = self._rows_of(group.lefts, begin, end, whole, named)
            right = self._value(group.right, whole, named)
            if not isinstance(right, Lagging):
                rows = self._rows_of((group.right,), begin, end, whole, named)
                products += group.products(left, rows)
                continue
            if begin == 0:
                products += group.products(left[: self._rows], right.first)
                left = left[self._rows :]
            if len(left):
                late = 1 + right.begin
                after = right.after[max(begin, 1) - late : end - late]
                products += group.products(left, _as_rows(after))
        add_outer_products(products)

    def _value(
        self, node: int, whole: Mapping[int, Tensor], named: Mapping[str, Given]
    ) -> Given | None:
        if node in whole:
            return whole[node]
        found = self._schedule.graph.nodes[node]
        return named[str(found.attr)] if found.op == "input" else None

    def _rows_of(
        self,
        nodes: Sequence[int],
        begin: int,
        end: int,
        whole: Mapping[int, Tensor],
        named: Mapping[str, Given],
    ) -> Tensor:
        """Return values of some steps as ``[steps * rows, entries]``."""
        count = (end - begin) * self._rows
        value = self._value(nodes[0], whole, named)
        if value is not None:
            assert not isinstance(value, Lagging)
            return _as_rows(steps_of(value, begin, end))
        size = self._schedule.graph.nodes[nodes[0]].shape[0]
        buffer, members = self._buffers[size]
        first, each = members.index(nodes[0]), buffer.shape[-1]
        flat = buffer.view(-1, len(members) * each)
        return flat[:count, first * each : (first + len(nodes)) * each]

    def total(self, node: int) -> Tensor:
        """Return a matrix's gradient."""
        nodes = self._schedule.graph.nodes
        outers = [nodes[n] for n in outer_products(self._schedule.graph, node)]
        parts = [
            group.total[group.lefts.index(outer.args[0])]
            for outer in outers
            for group in self._groups
            if (group.right, group.blocks) == (outer.args[1], outer.attr)
            and outer.args[0] in group.lefts
        ]
        if not parts:
            shape = resolved(nodes[node].shape, self._sizes)
            return self._like.new_zeros(shape)
        return sum(parts[1:], start=parts[0])


def _as_rows(value: Tensor) -> Tensor:
    """Return ``[T, B, n]`` or ``[T, B]`` as ``[T * B, n]``, T and B maybe 0."""
    return value.flatten(0, 1) if value.dim() > 2 else value.reshape(-1, 1)
