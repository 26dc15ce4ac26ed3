"""From the wiring of a cell to a picture: columns, heights, tracks, lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .crossings import Order, ordered
from .heights import Offsets, Size, heights
from .layers import Layers, Link, Slot, conveyors, layers
from .looks import Look, exits, look, shape
from .scene import Box, Line, Point, Scene, Shape, Text
from .tracks import TRACK, Turn, tracks
from .wiring import Source, Wire, Wiring, word

_PORT, _WIDE_PORT = 9, 14
"""Between wires that enter a part; the wider where signs stand beside them."""
_MARGIN = 14
"""Beside a column, before the first track."""
_GAP, _WIRE_GAP = 16, 9
"""Between two parts of a column; round a wire that passes."""
_FRAME = 12
"""Between the frame of a block and what is in it."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where everything is.

    Args:
        looks: of the parts.
        order: slots of each column from above.
        offsets: by column, where links leave and enter.
        tops: by column, the height of the middle of each slot.
        middles: of the columns.
        turns: by column, tracks of the values that turn behind it, and their place.
        frame: round the block; None without one.
    """

    wiring: Wiring
    layers: Layers
    looks: Sequence[Look]
    offsets: Sequence[Offsets]
    tops: Sequence[Mapping[Slot, float]]
    middles: Sequence[float]
    turns: Sequence[Mapping[tuple[Source, int], tuple[Turn, float]]]
    again: Mapping[Wire, tuple[float, float]]
    frame: Box | None


def arranged(wiring: Wiring) -> Scene:
    """Return the picture of a wiring.

    Args:
        wiring: of a cell.
    """
    grid = _grid(wiring)
    shapes = [
        shape(part, grid.looks[place], *_middle(grid, place))
        for place, part in enumerate(wiring.parts)
    ]
    lanes = {wire for way in conveyors(wiring) for wire in way}
    lines = [
        _line(grid, wire, wire in lanes) for wire in wiring.wires if not wire.again
    ]
    lines += [_again(grid, wire) for wire in grid.again]
    signs = [_sign(grid, wire) for wire in wiring.wires if wire.mark]
    for place, text in signs:
        own = shapes[place]
        beside = (*own.beside, text)
        shapes[place] = Shape(own.form, own.box, own.style, own.texts, beside, own.note)
    if grid.frame is not None:
        note = "what stands in the frame is computed once for each micro-step"
        said = Text(
            grid.frame.left + 10, grid.frame.bottom - 12, wiring.block, 12, "soft", "start"
        )
        shapes.append(Shape("frame", grid.frame, "frame", (said,), (), note))
    title = f"{wiring.name}: {wiring.title}".removesuffix(": ")
    return Scene(title, _described(wiring), tuple(shapes), tuple(lines))


def _described(wiring: Wiring) -> str:
    names = [name for part in wiring.parts for name in part.names]
    return (
        f"The wiring of the cell {wiring.name} from the left to the right, drawn from "
        f"its equations: {', '.join(names)}."
    )


def _grid(wiring: Wiring) -> _Grid:
    found = layers(wiring)
    ways = conveyors(wiring)
    order, chosen = ordered(found, ways)
    lanes = _links(found, [ways[lane] for lane in chosen])
    ports = _ports(wiring, found, order, lanes)
    looks = _looks(wiring, found, ports)
    sizes = [_sizes(column, looks) for column in found.columns]
    tops = heights(found, order, sizes, ports, lanes)
    return _across(wiring, found, looks, ports, tops)


def _links(found: Layers, ways: Sequence[Sequence[Wire]]) -> set[tuple[int, Link]]:
    lanes: set[tuple[int, Link]] = set()
    for way in ways:
        place = 0
        for wire in way:
            slots = found.ways[wire]
            for one, other in zip(slots, slots[1:], strict=False):
                lanes.add((place, Link(one, other, wire.source)))
                place += 1
    return lanes


def _ports(
    wiring: Wiring, found: Layers, order: Order, lanes: set[tuple[int, Link]]
) -> list[dict[Link, tuple[float, float]]]:
    """Return where links leave and enter; those that enter keep their order."""
    marked = _marked(wiring)
    ports: list[dict[Link, tuple[float, float]]] = []
    for place, links in enumerate(found.links):
        where = {slot: at for at, slot in enumerate(order[place])}
        own: dict[Link, tuple[float, float]] = {}
        for slot in {link.end: None for link in links}:
            entering = sorted(
                (k for k in links if k.end == slot),
                key=lambda k: (where[k.start], k.source.port),
            )
            straight = [at for at, k in enumerate(entering) if (place, k) in lanes]
            signs = [(slot.part, k.source) in marked for k in entering]
            gaps = [_WIDE_PORT if sign else _PORT for sign in signs[1:]]
            depths = [0.0, *accumulate(gaps)]
            middle = depths[straight[0]] if straight else depths[-1] / 2
            for depth, link in zip(depths, entering, strict=True):
                own[link] = _leaves(wiring, link), depth - middle
        ports.append(own)
    return ports


def _leaves(wiring: Wiring, link: Link) -> float:
    if link.start.passing is not None:
        return 0
    return exits(wiring.parts[link.start.part], link.source.port)


def _marked(wiring: Wiring) -> set[tuple[int, Source]]:
    return {(wire.target, wire.source) for wire in wiring.wires if wire.mark}


def _looks(
    wiring: Wiring, found: Layers, ports: Sequence[Mapping[Link, tuple[float, float]]]
) -> list[Look]:
    reach = [[0.0, 0.0] for _ in wiring.parts]
    for links in ports:
        for link, (_, enter) in links.items():
            if link.end.part >= 0:
                own = reach[link.end.part]
                own[:] = max(own[0], -enter), max(own[1], enter)
    for wire in wiring.wires:
        if wire.again:
            reach[wire.target][1] += _PORT
    marked = {target for target, _ in _marked(wiring)}
    return [
        look(part, *reach[place], place in marked)
        for place, part in enumerate(wiring.parts)
    ]


def _sizes(column: Sequence[Slot], looks: Sequence[Look]) -> dict[Slot, Size]:
    found: dict[Slot, Size] = {}
    for slot in column:
        if slot.passing is not None:
            found[slot] = Size(_WIRE_GAP, _WIRE_GAP)
        else:
            own = looks[slot.part]
            found[slot] = Size(own.up + _GAP / 2, own.down + own.below + _GAP / 2)
    return found


def _turns(found: Layers, place: int, grid: tuple[Sequence[Offsets], Sequence[Mapping[Slot, float]]]) -> list[Turn]:
    offsets, tops = grid
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
    looks: Sequence[Look],
    offsets: Sequence[Offsets],
    tops: Sequence[Mapping[Slot, float]],
) -> _Grid:
    """Give columns and tracks their places from left to right."""
    ranks = {s.part: k for k, c in enumerate(found.columns) for s in c if s.part >= 0}
    inside = [ranks[p] for p, part in enumerate(wiring.parts) if part.in_block]
    first, last = (min(inside), max(inside)) if inside else (-1, -1)
    loops = [wire for wire in wiring.wires if wire.again]
    middles: list[float] = []
    turns: list[dict[tuple[Source, int], tuple[Turn, float]]] = []
    sides = [0.0, 0.0]
    starts: dict[Wire, float] = {}
    ends: dict[Wire, float] = {}
    x = 0.0
    for place, column in enumerate(found.columns):
        parts = [looks[slot.part] for slot in column if slot.part >= 0]
        right = max((own.width / 2 for own in parts), default=0)
        left = max((own.width / 2 + own.mark for own in parts), default=0)
        if place == first:
            sides[0] = x
            x += _FRAME
        for wire in loops:
            if ranks[wire.target] == place:
                ends[wire] = x
                x += TRACK
        x += left + (_MARGIN if place else 0)
        middles.append(x)
        x += right + _MARGIN
        for wire in loops:
            if ranks[wire.source.part] == place:
                starts[wire] = x
                x += TRACK
        if place == last:
            sides[1] = x + _FRAME - TRACK
            x += _FRAME + 4
        placed = tracks(_turns(found, place, (offsets, tops)))
        turns.append({(t.source, t.part): (t, x + at * TRACK) for t, at in placed})
        x += max((at for _, at in placed), default=0) * TRACK
    again = {wire: (starts[wire], ends[wire]) for wire in loops}
    frame = _frame(found, looks, tops, sides, (first, last), len(loops))
    return _Grid(
        wiring, found, looks, offsets, tops, middles, turns, again, frame
    )


def _frame(
    found: Layers,
    looks: Sequence[Look],
    tops: Sequence[Mapping[Slot, float]],
    sides: Sequence[float],
    columns: tuple[int, int],
    loops: int,
) -> Box | None:
    if columns[0] < 0:
        return None
    high: list[float] = []
    low: list[float] = []
    for place in range(columns[0], columns[1] + 1):
        for slot, size in _sizes(found.columns[place], looks).items():
            high.append(tops[place][slot] - size.up)
            low.append(tops[place][slot] + size.down)
    bottom = max(low) + loops * TRACK + 28
    return Box(sides[0], min(high) - 4, sides[1], bottom)


def _middle(grid: _Grid, place: int) -> Point:
    for column, slots in enumerate(grid.tops):
        if Slot(place) in slots:
            return grid.middles[column], slots[Slot(place)]
    raise AssertionError(place)


def _line(grid: _Grid, wire: Wire, lane: bool) -> Line:
    way = grid.layers.ways[wire]
    part = grid.wiring.parts[wire.source.part]
    x, y = _middle(grid, wire.source.part)
    leave = exits(part, wire.source.port)
    points: list[Point] = [(x + grid.looks[wire.source.part].edge(leave), y + leave)]
    start = next(k for k, c in enumerate(grid.layers.columns) if way[0] in c)
    for step, (one, other) in enumerate(zip(way, way[1:], strict=False)):
        column = start + step
        link = Link(one, other, wire.source)
        height = grid.tops[column + 1][other] + grid.offsets[column][link][1]
        points += _turned(grid.turns[column], wire.source, height)
    target = grid.looks[wire.target]
    x, y = _middle(grid, wire.target)
    height = points[-1][1]
    points.append((x - target.edge(height - y), height))
    kind = grid.wiring.parts[wire.target].kind
    style = "lane" if lane else "sometimes" if wire.sometimes else "wire"
    return Line(
        _plain(points),
        style,
        kind != "join",
        (wire.source.part, wire.target),
        _number(wire.source),
        word(part, wire.source.port),
    )


def _turned(
    turns: Mapping[tuple[Source, int], tuple[Turn, float]], source: Source, height: float
) -> list[Point]:
    """Return the corners of a value between two columns, on its way to a height."""
    points: list[Point] = []
    for part in (0, 1):
        if (source, part) in turns:
            turn, x = turns[source, part]
            goal = height if height in turn.leave else turn.leave[0]
            points += [(x, turn.enter), (x, goal)]
    return points


def _again(grid: _Grid, wire: Wire) -> Line:
    """Return the way back from the end of a micro-step to the next one's begin."""
    assert grid.frame is not None
    start, end = grid.again[wire]
    row = [*grid.again].index(wire)
    floor = grid.frame.bottom - 26 - row * TRACK
    x, y = _middle(grid, wire.source.part)
    out = x + grid.looks[wire.source.part].edge(0)
    target = grid.looks[wire.target]
    to, height = _middle(grid, wire.target)
    height += target.down - 5
    into = to - target.edge(target.down - 5)
    corners = [(out, y), (start, y), (start, floor), (end, floor)]
    corners += [(end, height), (into, height)]
    ends = (wire.source.part, wire.target)
    note = "to the next micro-step"
    return Line(tuple(corners), "again", True, ends, _number(wire.source), note)


def _number(source: Source) -> int:
    return source.part * 1000 + source.port


def _sign(grid: _Grid, wire: Wire) -> tuple[int, Text]:
    way = grid.layers.ways[wire]
    column = next(k for k, c in enumerate(grid.layers.columns) if way[-1] in c)
    link = Link(way[-2], way[-1], wire.source)
    offset = grid.offsets[column - 1][link][1]
    x, y = _middle(grid, wire.target)
    left = x - grid.looks[wire.target].width / 2
    return wire.target, Text(left - 5, y + offset - 7, wire.mark, 11)


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
