"""Which outer products of a backward step are multiplied up together, and where.

What hangs on the schedule alone is found once, what hangs on the sizes once for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cellwright.ir.ops import Attr
from cellwright.ir.sizes import Size
from cellwright.passes.phases import Schedule
from cellwright.passes.schedule import outer_products

from .slots import resolved


@dataclass(frozen=True)
class Buffer:
    """Left sides of one length, whose arrays lie side by side.

    Args:
        members: their nodes.
        length: of each.
    """

    members: tuple[int, ...]
    length: int


@dataclass(frozen=True)
class Group:
    """Outer products with one right side, whose left sides lie side by side.

    Args:
        lefts: the left sides.
        right: the right side.
        buffer: which buffer the left sides lie in, None for arrays of all steps.
        first: the first left side's place in it.
        heads: blocks on the diagonal, 1 for plain matrices.
        shape: of the sums of all left sides, ``[lefts, ...]``.
    """

    lefts: tuple[int, ...]
    right: int
    buffer: int | None
    first: int
    heads: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """A plan at some sizes.

    Args:
        buffers: of the left sides.
        groups: of the products.
        totals: of every matrix' gradient, the groups and places that it is the sum of.
        shapes: of the matrices.
        sums: shapes of the schedule's sums.
    """

    buffers: tuple[Buffer, ...]
    groups: tuple[Group, ...]
    totals: Mapping[int, Sequence[tuple[int, int]]]
    shapes: Mapping[int, tuple[int, ...]]
    sums: tuple[tuple[int, ...], ...]


class OuterPlan:
    """The outer products of a backward step.

    Args:
        schedule: of the step.
        matrices: nodes of the gradients of matrices.
        elsewhere: nodes whose arrays hold all steps.
    """

    def __init__(
        self, schedule: Schedule, matrices: Sequence[int], elsewhere: Sequence[int]
    ):
        self._schedule = schedule
        self._matrices = matrices
        self._nodes = schedule.graph.nodes
        by_length: dict[Size, list[int]] = {}
        for node in schedule.outputs:
            if node not in elsewhere:
                by_length.setdefault(self._nodes[node].shape[0], []).append(node)
        self._buffers = by_length
        self._places = {
            node: (which, at)
            for which, members in enumerate(by_length.values())
            for at, node in enumerate(members)
        }
        self._at = lru_cache(maxsize=64)(lambda key: self._laid_out(dict(key)))

    def at(self, sizes: Mapping[str, int]) -> Layout:
        """Return the layout at some sizes."""
        return self._at(tuple(sizes.items()))

    def _laid_out(self, sizes: Mapping[str, int]) -> Layout:
        nodes, schedule = self._nodes, self._schedule
        buffers = tuple(
            Buffer(tuple(members), size.evaluate(sizes))
            for size, members in self._buffers.items()
        )
        pairs = [
            (run, key)
            for key, lefts in self._by_right().items()
            for run in self._side_by_side(lefts)
        ]
        # Those with the same left sides one behind the other: they are packed once.
        pairs.sort(key=lambda pair: pair[0])
        keys = [key for _, key in pairs]
        groups = [self._group(run, key, sizes) for run, key in pairs]
        totals = {
            matrix: [
                (which, group.lefts.index(nodes[outer].args[0]))
                for outer in outer_products(schedule.graph, matrix)
                for which, group in enumerate(groups)
                if keys[which] == (nodes[outer].args[1], nodes[outer].attr)
                and nodes[outer].args[0] in group.lefts
            ]
            for matrix in self._matrices
        }
        shapes = {m: tuple(resolved(nodes[m].shape, sizes)) for m in self._matrices}
        sums = tuple(tuple(resolved(nodes[n].shape, sizes)) for n in schedule.sums)
        return Layout(buffers, tuple(groups), totals, shapes, sums)

    def _by_right(self) -> dict[tuple[int, Attr], list[int]]:
        found: dict[tuple[int, Attr], list[int]] = {}
        for outer in self._schedule.after:
            (left, right), blocks = self._nodes[outer].args, self._nodes[outer].attr
            found.setdefault((right, blocks), []).append(left)
        return found

    def _side_by_side(self, lefts: Sequence[int]) -> list[list[int]]:
        places = self._places
        runs: list[list[int]] = []
        for left in sorted((n for n in lefts if n in places), key=places.__getitem__):
            which, at = places[left]
            if runs and places[runs[-1][-1]] == (which, at - 1):
                runs[-1].append(left)
            else:
                runs.append([left])
        return [*runs, *([left] for left in lefts if left not in places)]

    def _group(
        self, lefts: Sequence[int], key: tuple[int, Attr], sizes: Mapping[str, int]
    ) -> Group:
        right, blocks = key
        heads = blocks.evaluate(sizes) if isinstance(blocks, Size) else 1
        m, n = (self._nodes[i].shape[0].evaluate(sizes) for i in (lefts[0], right))
        shape = (m, n) if blocks is None else (heads, m // heads, n // heads)
        buffer, first = self._places.get(lefts[0], (None, 0))
        return Group(tuple(lefts), right, buffer, first, heads, (len(lefts), *shape))
