"""Where everything in the picture of a cell is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .crossings import ordered
from .heights import Offsets, Size, heights
from .layers import Layers, Link, Slot, conveyors, layers
from .looks import Look
from .ports import looks, ports
from .scene import Box, Point
from .tracks import TRACK, Turn, tracks
from .wiring import Source, Wire, Wiring

_MARGIN = 14
"""Beside a column, before the first track."""
_GAP, _WIRE_GAP = 16, 9
"""Between two parts of a column; round a wire that passes."""
_FRAME = 12
"""Between the frame of a block and what is in it."""
_HEAD = 28
"""What the name of a block needs below it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where everything is.

    Args:
        wiring: what is drawn.
        layers: its columns.
        looks: the sizes of the parts.
        offsets: by column, where links leave and enter.
        tops: by column, the height of the point of each slot.
        across: where columns and tracks are.
        frame: round the block; None without one.
    """

    wiring: Wiring
    layers: Layers
    looks: Sequence[Look]
    offsets: Sequence[Offsets]
    tops: Sequence[Mapping[Slot, float]]
    across: Across
    frame: Box | None

    def point(self, part: int) -> Point:
        """Return where a part is: the middle of its width, the height of its point."""
        column = self.layers.column(Slot(part))
        return self.across.middles[column], self.tops[column][Slot(part)]


@dataclass(slots=True)
class Across:
    """What is where from the left to the right.

    Args:
        middles: of the columns.
        turns: by column, what turns behind it, and on which track.
        starts: by wire to the next micro-step, where it goes down.
        ends: where it goes up again.
        frame: the sides of the block.
    """

    middles: list[float] = field(default_factory=list)
    turns: list[dict[tuple[Source, int], tuple[Turn, float]]] = field(
        default_factory=list
    )
    starts: dict[Wire, float] = field(default_factory=dict)
    ends: dict[Wire, float] = field(default_factory=dict)
    frame: list[float] = field(default_factory=list)


def grid(wiring: Wiring) -> Grid:
    """Return where everything in the picture of a wiring is.

    Args:
        wiring: of a cell.
    """
    found = layers(wiring)
    ways = conveyors(wiring)
    order, chosen = ordered(found, ways)
    lanes = _links(found, [ways[lane] for lane in chosen])
    offsets = ports(wiring, found, order, lanes)
    own = looks(wiring, offsets)
    sizes = [_sizes(column, own) for column in found.columns]
    tops = heights(found, order, sizes, offsets, lanes)
    turns = [_turns(found, place, offsets, tops) for place in range(len(order))]
    across = _across(wiring, found, own, turns)
    frame = _frame(sizes, tops, across, found.block(wiring))
    return Grid(wiring, found, own, offsets, tops, across, frame)


def _links(found: Layers, ways: Sequence[Sequence[Wire]]) -> set[tuple[int, Link]]:
    lanes: set[tuple[int, Link]] = set()
    for way in ways:
        place = 0
        for wire in way:
            slots = found.ways[wire]
            for one, other in pairwise(slots):
                lanes.add((place, Link(one, other, wire.source)))
                place += 1
    return lanes


def _sizes(column: Sequence[Slot], looks: Sequence[Look]) -> dict[Slot, Size]:
    found: dict[Slot, Size] = {}
    for slot in column:
        if slot.passing is not None:
            found[slot] = Size(_WIRE_GAP, _WIRE_GAP)
        else:
            own = looks[slot.part]
            found[slot] = Size(own.up + _GAP / 2, own.down + own.below + _GAP / 2)
    return found


def _turns(
    found: Layers,
    place: int,
    offsets: Sequence[Offsets],
    tops: Sequence[Mapping[Slot, float]],
) -> list[Turn]:
    """Return the values that change their height behind a column."""
    entering: dict[Source, float] = {}
    leaving: dict[Source, list[float]] = {}
    for link in found.links[place]:
        leave, enter = offsets[place][link]
        entering[link.source] = tops[place][link.start] + leave
        height = tops[place + 1][link.end] + enter
        leaving.setdefault(link.source, []).append(height)
    return [
        Turn(source, entering[source], tuple(heights))
        for source, heights in leaving.items()
        if any(height != entering[source] for height in heights)
    ]


def _across(
    wiring: Wiring,
    found: Layers,
    own: Sequence[Look],
    turns: Sequence[Sequence[Turn]],
) -> Across:
    """Give columns and tracks their places from left to right."""
    block = found.block(wiring)
    loops = [wire for wire in wiring.wires if wire.again]
    across = Across()
    x = 0.0
    for place, column in enumerate(found.columns):
        parts = [own[slot.part] for slot in column if slot.part >= 0]
        if block and place == block[0]:
            across.frame.append(x)
            x += _FRAME
        for wire in loops:
            if Slot(wire.target) in column:
                across.ends[wire] = x
                x += TRACK
        x += max((one.width / 2 + one.mark for one in parts), default=0)
        x += _MARGIN if place else 0
        across.middles.append(x)
        x += max((one.width / 2 for one in parts), default=0) + _MARGIN
        for wire in loops:
            if Slot(wire.source.part) in column:
                across.starts[wire] = x
                x += TRACK
        if block and place == block[-1]:
            across.frame.append(x + _FRAME - TRACK)
            x += _FRAME + 4
        placed = tracks(turns[place])
        across.turns.append({(t.source, t.part): (t, x + n * TRACK) for t, n in placed})
        x += max((track for _, track in placed), default=0) * TRACK
    return across


def _frame(
    sizes: Sequence[Mapping[Slot, Size]],
    tops: Sequence[Mapping[Slot, float]],
    across: Across,
    block: range,
) -> Box | None:
    """Return the frame round the columns of a block, and the way back below them."""
    if not block:
        return None
    inside = [(tops[k][slot], size) for k in block for slot, size in sizes[k].items()]
    top = min(height - size.up for height, size in inside) - 4
    bottom = max(height + size.down for height, size in inside)
    left, right = across.frame
    return Box(left, top, right, bottom + len(across.starts) * TRACK + _HEAD)
