"""Which column each part of a wiring stands in, and what passes through a column."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from .wiring import Source, Wire, Wiring


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a column: a part, or a value that passes by.

    Args:
        part: the part; -1 where a value passes.
        passing: the value that passes; None for a part.
    """

    part: int
    passing: Source | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of wire from a column to the next.

    Args:
        start: slot in the column at the left.
        end: slot in the next column.
        source: the value.
    """

    start: Slot
    end: Slot
    source: Source


@dataclass(frozen=True, slots=True)
class Layers:
    """The columns of a picture.

    Args:
        columns: slots, from left to right.
        links: between neighbouring columns, by the place of the left one.
        ways: by wire, the slots that it goes through.
    """

    columns: tuple[tuple[Slot, ...], ...]
    links: tuple[tuple[Link, ...], ...]
    ways: dict[Wire, tuple[Slot, ...]]

    def column(self, slot: Slot) -> int:
        """Return the column of a part."""
        return next(k for k, slots in enumerate(self.columns) if slot in slots)

    def block(self, wiring: Wiring) -> range:
        """Return the columns of the for block."""
        inside = [p for p, part in enumerate(wiring.parts) if part.in_block]
        found = [self.column(Slot(part)) for part in inside]
        return range(min(found), max(found) + 1) if found else range(0)


def layers(wiring: Wiring) -> Layers:
    """Return the columns of a wiring; a value passes a column once.

    Args:
        wiring: of a cell.
    """
    ranks = _ranks(wiring)
    columns: list[dict[Slot, None]] = [{} for _ in range(max(ranks) + 1)]
    for place, rank in enumerate(ranks):
        columns[rank][Slot(place)] = None
    links: list[dict[Link, None]] = [{} for _ in columns]
    ways: dict[Wire, tuple[Slot, ...]] = {}
    for wire in _forward(wiring):
        start, end = ranks[wire.source.part], ranks[wire.target]
        between = [Slot(-1, wire.source)] * (end - start - 1)
        way = (Slot(wire.source.part), *between, Slot(wire.target))
        for step, (one, other) in enumerate(itertools.pairwise(way)):
            columns[start + step + 1][other] = None
            links[start + step][Link(one, other, wire.source)] = None
        ways[wire] = way
    return Layers(tuple(map(tuple, columns)), tuple(map(tuple, links)), ways)


def _forward(wiring: Wiring) -> list[Wire]:
    return [wire for wire in wiring.wires if not wire.again]


def _ranks(wiring: Wiring) -> list[int]:
    """Return the column of each part: behind all that it needs, and of its block."""
    count = len(wiring.parts)
    wires = _forward(wiring)
    before = [[w.source.part for w in wires if w.target == p] for p in range(count)]
    after = [[w.target for w in wires if w.source.part == p] for p in range(count)]
    order = _in_order(before)
    inside = {p for p, part in enumerate(wiring.parts) if part.in_block}
    behind = _closure(inside, after) - inside
    ends = {p for p, t in enumerate(wiring.parts) if t.kind in ("after", "output")}
    ranks, least = [0] * count, 0
    for group in (set(range(count)) - inside - behind - ends, inside, behind - ends):
        for place in (p for p in order if p in group):
            ranks[place] = max([least, *(ranks[p] + 1 for p in before[place])])
        least = max([least, *(ranks[p] + 1 for p in group)])
    for place in ends:
        ranks[place] = max(least, 1)
    _move_right(wiring, ranks, before, after, order)
    return ranks


def _move_right(
    wiring: Wiring,
    ranks: list[int],
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
    order: Sequence[int],
) -> None:
    """Put close to its users what no long wire has to be made for."""
    for place in reversed(order):
        part, users = wiring.parts[place], after[place]
        begins = part.kind in ("input", "before", "after", "output")
        if begins or not users or part.in_block or part.kind == "join":
            continue
        if not before[place] or (part.kind == "linear" and len(users) == 1):
            room = min(ranks[user] for user in users) - 1
            blocked = any(wiring.parts[user].in_block for user in users)
            ranks[place] = ranks[place] if blocked else max(ranks[place], room)


def _in_order(before: Sequence[Sequence[int]]) -> list[int]:
    done: dict[int, None] = {}

    def reach(place: int) -> None:
        if place not in done:
            for earlier in before[place]:
                reach(earlier)
            done[place] = None

    for place in range(len(before)):
        reach(place)
    return list(done)


def _closure(start: set[int], after: Sequence[Sequence[int]]) -> set[int]:
    found, stack = set(start), list(start)
    while stack:
        new = set(after[stack.pop()]) - found
        found |= new
        stack += new
    return found


def conveyors(wiring: Wiring) -> list[list[Wire]]:
    """Return for each state that is handed on entry by entry the way that it takes.

    The ways have no part in common; a state whose way would is left out.

    Args:
        wiring: of a cell.
    """
    found: list[list[Wire]] = []
    used: set[int] = set()
    for place, part in enumerate(wiring.parts):
        if part.kind != "before":
            continue
        after = f"{part.lines[0]}'"
        ends = {p for p, t in enumerate(wiring.parts) if t.lines[:1] == (after,)}
        ends = {p for p in ends if wiring.parts[p].kind == "after"}
        way = _shortest(wiring, place, ends, used)
        if way:
            found.append(way)
            used |= {place, *(wire.target for wire in way)}
    return found


def _shortest(wiring: Wiring, start: int, ends: set[int], used: set[int]) -> list[Wire]:
    ways: dict[int, list[Wire]] = {start: []}
    for place in (queue := [start]):
        for wire in wiring.wires:
            free = wire.target not in ways and wire.target not in used
            if wire.source.part == place and free and not (wire.mixes or wire.again):
                ways[wire.target] = [*ways[place], wire]
                queue.append(wire.target)
    return next((ways[end] for end in sorted(ends) if end in ways), [])
