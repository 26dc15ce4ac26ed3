"""How high each slot stands: wires as straight as they can be, nothing too close.

Slots that a straight wire joins move as one block. The blocks then go where the sum of
all bends is least, by moves that each make it smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

from .crossings import Order
from .layers import Layers, Link, Slot

_MOST_MOVES = 600
_TIDY = 0.03
"""What a pixel of empty room between two slots costs, against a pixel of a bend."""
_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Size:
    """How much room a slot needs above and below its middle."""

    up: float
    down: float


@dataclass(slots=True)
class _Blocks:
    """What moves as one, and what it is tied to.

    Args:
        block: by slot in its column, the block, and how far below its top it is.
        limits: pairs of blocks, and how far below the first the second is at least.
        ties: pairs of blocks, how far below the first the second should be, and what a
            pixel less or more costs.
    """

    block: dict[tuple[int, Slot], tuple[int, float]]
    limits: list[tuple[int, int, float]] = field(default_factory=list)
    ties: list[tuple[int, int, float, float]] = field(default_factory=list)


Offsets = Mapping[Link, tuple[float, float]]
"""By link, how far below the middles of its two slots it leaves and enters."""


def heights(
    layers: Layers,
    order: Order,
    sizes: Sequence[Mapping[Slot, Size]],
    offsets: Sequence[Offsets],
    lanes: set[tuple[int, Link]],
) -> list[dict[Slot, float]]:
    """Return the height of each slot, by column.

    Args:
        layers: the columns.
        order: the slots of each column from above.
        sizes: by column, the room of each slot.
        offsets: by column, where the links to the next one leave and enter.
        lanes: links, with their columns, that are straight before all others.
    """
    blocks = _aligned(layers, order, offsets, lanes)
    for place, column in enumerate(order):
        for above, below in pairwise(column):
            room = sizes[place][above].down + sizes[place][below].up
            one, other = blocks.block[place, above], blocks.block[place, below]
            least = room + one[1] - other[1]
            blocks.limits.append((one[0], other[0], least))
            blocks.ties.append((one[0], other[0], least, _TIDY))
    for place, links in enumerate(layers.links):
        for link in links:
            one = blocks.block[place, link.start]
            other = blocks.block[place + 1, link.end]
            leave, enter = offsets[place][link]
            if one[0] != other[0]:
                gap = one[1] + leave - other[1] - enter
                blocks.ties.append((one[0], other[0], gap, _cost(link)))
    tops = _settled(blocks)
    return [
        {
            slot: tops[blocks.block[place, slot][0]] + blocks.block[place, slot][1]
            for slot in column
        }
        for place, column in enumerate(order)
    ]


def _cost(link: Link) -> float:
    return 1 + (link.start.part < 0) + (link.end.part < 0)


def _aligned(
    layers: Layers,
    order: Order,
    offsets: Sequence[Offsets],
    lanes: set[tuple[int, Link]],
) -> _Blocks:
    """Choose the links that are straight: no two that cross, one on each side."""
    following: list[dict[Slot, Link]] = []
    for place, links in enumerate(layers.links):
        where = {s: at for at, s in enumerate(order[place])}
        ends = {s: at for at, s in enumerate(order[place + 1])} if links else {}
        chosen: dict[Slot, Link] = {}
        for link in sorted(links, key=lambda k: (-((place, k) in lanes), -_cost(k))):
            start, end = where[link.start], ends[link.end]
            if all(
                (where[k.start] < start) == (ends[k.end] < end)
                and where[k.start] != start
                and ends[k.end] != end
                for k in chosen.values()
            ):
                chosen[link.start] = link
        following.append(chosen)
    block: dict[tuple[int, Slot], tuple[int, float]] = {}
    count = 0
    for place, column in enumerate(order):
        for slot in column:
            if (place, slot) not in block:
                block[place, slot] = count, 0.0
                count += 1
            link = following[place].get(slot)
            if link is not None:
                own, depth = block[place, slot]
                leave, enter = offsets[place][link]
                block[place + 1, link.end] = own, depth + leave - enter
    return _Blocks(block)


def _settled(blocks: _Blocks) -> list[float]:
    """Return the height of each block."""
    count = 1 + max(number for number, _ in blocks.block.values())
    room = _Room(blocks, count)
    moves, moved = 0, True
    while moved and moves < _MOST_MOVES:
        moved = False
        for number, way, tied in product(range(count), (1, -1), (False, True)):
            while moves < _MOST_MOVES and room.move(number, way, tied):
                moved = True
                moves += 1
    return room.tops


class _Room:
    """The heights of blocks while they are moved.

    Args:
        blocks: what keeps apart, and what is tied.
        count: how many blocks there are.
    """

    def __init__(self, blocks: _Blocks, count: int):
        self.tops = [0.0] * count
        numbers = range(count)
        self._limits = [[x for x in blocks.limits if n in x[:2]] for n in numbers]
        self._ties = [[x for x in blocks.ties if n in x[:2]] for n in numbers]
        changed = True
        while changed:
            changed = False
            for above, below, least in blocks.limits:
                if self.tops[below] < self.tops[above] + least - _NEAR:
                    self.tops[below], changed = self.tops[above] + least, True

    def move(self, number: int, way: int, tied: bool) -> bool:
        """Move a block, with what is in its way, if that makes the bends smaller.

        Args:
            number: the block.
            way: 1 for down, -1 for up.
            tied: whether blocks move along to which a wire is straight.
        """
        group = self._group(number, way, tied)
        gain, room = 0.0, float("inf")
        for own in group:
            for above, below, least in self._limits[own]:
                front, back = (above, below) if way > 0 else (below, above)
                if front == own and back not in group:
                    room = min(room, self.tops[below] - self.tops[above] - least)
            for one, other, gap, cost in self._ties[own]:
                if one in group and other in group:
                    continue
                towards = way if other in group else -way
                apart = (self.tops[other] - self.tops[one] - gap) * towards
                # Negative: the move brings the two nearer to where they should be.
                gain += cost if apart < -_NEAR else -cost
                if apart < -_NEAR:
                    room = min(room, -apart)
        if gain <= _NEAR or room == float("inf"):
            return False
        for own in group:
            self.tops[own] += way * room
        return True

    def _group(self, number: int, way: int, tied: bool) -> set[int]:
        """Return a block and those that it pushes, and draws along if they are tied."""
        group, stack = {number}, [number]
        while stack:
            own = stack.pop()
            new: set[int] = set()
            for above, below, least in self._limits[own]:
                pushes, pushed = (above, below) if way > 0 else (below, above)
                touching = self.tops[below] - self.tops[above] - least < _NEAR
                if pushes == own and touching:
                    new.add(pushed)
            for one, other, gap, cost in self._ties[own] if tied else ():
                straight = abs(self.tops[other] - self.tops[one] - gap) < _NEAR
                if cost > _TIDY and straight:
                    new |= {one, other}
            stack += new - group
            group |= new
        return group
