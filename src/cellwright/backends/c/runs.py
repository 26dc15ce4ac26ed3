"""Group a loop's products into runs: one operand, accumulators side by side.

A run's matrices are packed so that one walk along the operand serves them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Size
from cellwright.passes.phases import Loop

WIDTH = 4
"""Vectors of one tile: enough to use a value of the operand four times."""


@dataclass(frozen=True, slots=True)
class Run:
    """Products that are computed together.

    Args:
        operand: what all matrices are multiplied with.
        first: place of the first accumulator.
        matrices: one for each accumulator from there on.
        spread: vectors of units that one accumulator holds.
        units: length of the result.
        depth: length of the operand.
        heads: number of blocks on the diagonal, or None for plain matrices.
    """

    operand: int
    first: int
    matrices: tuple[int, ...]
    spread: int
    units: Size
    depth: Size
    heads: Size | None

    @property
    def widths(self) -> tuple[int, ...]:
        """How many vectors its tiles have; the last one of a lone matrix has less."""
        if len(self.matrices) > 1:
            return (len(self.matrices) * self.spread,)
        return tuple(range(1, self.spread + 1))


def spread_of(loop: Loop) -> int:
    """Return how many vectors of units a tile of a loop's accumulators holds.

    A lone accumulator takes four, so that as many sums are under way as with four.
    """
    return max(1, WIDTH // len(loop.accumulators)) if loop.accumulators else 1


def runs_of(graph: Graph, loop: Loop, spread: int) -> Iterable[Run]:
    """Return the runs of a loop: together they are all its products, once each."""
    waiting: dict[tuple[int, Size | None, int], dict[int, int]] = {}
    for place, accumulator in enumerate(loop.accumulators):
        seen: dict[tuple[int, Size | None], int] = {}
        for product in accumulator.products:
            shape = graph.nodes[product.matrix].shape
            heads = shape[0] if len(shape) == 3 else None
            again = seen.get((product.operand, heads), 0)
            seen[product.operand, heads] = again + 1
            group = waiting.setdefault((product.operand, heads, again), {})
            group[place] = product.matrix
    for (operand, heads, _), group in waiting.items():
        for row in _side_by_side(sorted(group), WIDTH // spread):
            yield Run(
                operand,
                row[0],
                tuple(group[place] for place in row),
                spread,
                loop.shape[0],
                graph.nodes[operand].shape[0],
                heads,
            )


def _side_by_side(places: list[int], most: int) -> Iterable[list[int]]:
    row: list[int] = []
    for place in places:
        if row and (place != row[-1] + 1 or len(row) == most):
            yield row
            row = []
        row.append(place)
    if row:
        yield row
