"""From the wiring of a cell to a picture: shapes, lines and signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from .grid import Grid, grid
from .layers import Link, conveyors
from .looks import exits, shape
from .scene import Line, Point, Scene, Shape, Text
from .tracks import TRACK, Turn
from .wiring import Source, Wire, Wiring, word

_FLOOR = 26
"""How far above the lower side of its frame a block's way back is."""


def arranged(wiring: Wiring) -> Scene:
    """Return the picture of a wiring.

    Args:
        wiring: of a cell.
    """
    found = grid(wiring)
    shapes = [
        shape(part, found.looks[place], *found.point(place))
        for place, part in enumerate(wiring.parts)
    ]
    for wire in wiring.wires:
        if wire.mark:
            own = shapes[wire.target]
            beside = (*own.beside, _sign(found, wire))
            shapes[wire.target] = replace(own, beside=beside)
    lanes = {wire for way in conveyors(wiring) for wire in way}
    lines = [
        _again(found, wire) if wire.again else _line(found, wire, wire in lanes)
        for wire in wiring.wires
    ]
    title = f"{wiring.name}: {wiring.title}".removesuffix(": ")
    whole = (*shapes, *_frame(found))
    return Scene(title, _described(wiring), whole, tuple(lines))


def _described(wiring: Wiring) -> str:
    names = [name for part in wiring.parts for name in part.names]
    return (
        f"The wiring of the cell {wiring.name} from the left to the right, drawn from "
        f"its equations: {', '.join(names)}."
    )


def _frame(found: Grid) -> list[Shape]:
    box = found.frame
    if box is None:
        return []
    note = "what stands in the frame is computed once for each micro-step"
    head = Text(box.left + 10, box.bottom - 12, found.wiring.block, 12, "soft", "start")
    return [Shape("frame", box, "frame", (head,), (), note)]


def _line(found: Grid, wire: Wire, lane: bool) -> Line:
    part = found.wiring.parts[wire.source.part]
    x, y = found.point(wire.source.part)
    leave = exits(part, wire.source.port)
    points: list[Point] = [(x + found.looks[wire.source.part].edge(leave), y + leave)]
    way = found.layers.ways[wire]
    start = found.layers.column(way[0])
    for column, (one, other) in enumerate(pairwise(way), start):
        link = Link(one, other, wire.source)
        height = found.tops[column + 1][other] + found.offsets[column][link][1]
        points += _turned(found.across.turns[column], wire.source, height)
    x, y = found.point(wire.target)
    height = points[-1][1]
    points.append((x - found.looks[wire.target].edge(height - y), height))
    style = "lane" if lane else "sometimes" if wire.sometimes else "wire"
    arrow = found.wiring.parts[wire.target].kind != "join"
    ends = (wire.source.part, wire.target)
    note = word(part, wire.source.port)
    return Line(_plain(points), style, arrow, ends, _number(wire.source), note)


def _turned(
    turns: Mapping[tuple[Source, int], tuple[Turn, float]],
    source: Source,
    height: float,
) -> list[Point]:
    """Return the corners of a value between two columns, on its way to a height."""
    points: list[Point] = []
    for part in (0, 1):
        if (source, part) in turns:
            turn, x = turns[source, part]
            goal = height if height in turn.leave else turn.leave[0]
            points += [(x, turn.enter), (x, goal)]
    return points


def _again(found: Grid, wire: Wire) -> Line:
    """Return the way back from the end of a micro-step to the next one's begin."""
    assert found.frame is not None
    row = [*found.across.starts].index(wire)
    floor = found.frame.bottom - _FLOOR - row * TRACK
    start, end = found.across.starts[wire], found.across.ends[wire]
    x, y = found.point(wire.source.part)
    leave = exits(found.wiring.parts[wire.source.part], wire.source.port)
    out = x + found.looks[wire.source.part].edge(leave), y + leave
    target = found.looks[wire.target]
    x, y = found.point(wire.target)
    enter = target.down - 5  # the lowest place, which looks() keeps for it
    into = x - target.edge(enter), y + enter
    corners = (out, (start, out[1]), (start, floor), (end, floor), (end, into[1]), into)
    ends = (wire.source.part, wire.target)
    note = "to the next micro-step"
    return Line(corners, "again", True, ends, _number(wire.source), note)


def _number(source: Source) -> int:
    return source.part * 1000 + source.port


def _sign(found: Grid, wire: Wire) -> Text:
    """Return the sign at the end of a wire, at the left of its part.

    It stands above, but below the lowest of several wires: so no other is as near.
    """
    way = found.layers.ways[wire]
    column = found.layers.column(way[-1])
    link = Link(way[-2], way[-1], wire.source)
    offsets = found.offsets[column - 1]
    enter = offsets[link][1]
    others = [offsets[k][1] for k in offsets if k.end == link.end and k != link]
    side = 1 if others and enter > max(others) else -1
    x, y = found.point(wire.target)
    left = x - found.looks[wire.target].width / 2
    return Text(left - 7, y + enter + 7 * side, wire.mark, 12, bold=True)


def _plain(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return corners without those at which nothing turns."""
    found: list[Point] = []
    for point in points:
        if found and point == found[-1]:
            continue
        if len(found) > 1 and (
            found[-2][0] == found[-1][0] == point[0]
            or found[-2][1] == found[-1][1] == point[1]
        ):
            found.pop()
        found.append(point)
    return tuple(found)
