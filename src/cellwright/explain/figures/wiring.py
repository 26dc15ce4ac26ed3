"""The wiring of a cell: what computes what, as parts and wires. Nothing is placed yet.

A box stands for a gate or a function with the products inside of it, a circle for an
elementwise operation. Weights are not drawn; a box's note says the whole formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal[
    "input",
    "before",
    "after",
    "output",
    "gate",
    "squash",
    "norm",
    "linear",
    "formula",
    "spike",
    "split",
    "operation",
    "number",
    "name",
    "join",
]
"""What a part is. ``before`` and ``after`` are a state's values round the step."""

TERMINALS = ("input", "before", "after", "output")


@dataclass(frozen=True, slots=True)
class Source:
    """What a wire carries: a part's value, or one of the values of a split."""

    part: int
    port: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A box, a circle or an end of the picture.

    Args:
        kind: what it is.
        names: names of the cell that stand here; each stands in one part alone.
        lines: the text inside, line by line, below the name.
        note: what it computes, in full.
        in_block: whether it is in the for block.
        caption: a word below it.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    note: str = ""
    in_block: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A value on its way from a part to another.

    Args:
        source: what it carries.
        target: the part that takes it.
        mark: ``−`` where it is subtracted, ``÷`` where it divides.
        mixes: whether a matrix stands before it, so that units are mixed.
        sometimes: whether it is taken in some micro-steps alone.
        again: whether it goes to the next micro-step.
    """

    source: Source
    target: int
    mark: str = ""
    mixes: bool = False
    sometimes: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """A cell's parts and wires.

    Args:
        name: the cell's name.
        title: what the cell says it is.
        block: the head of its for block; empty without one.
        parts: in an order in which wires lead forward, but for those ``again``.
    """

    name: str
    title: str
    block: str
    parts: tuple[Part, ...]
    wires: tuple[Wire, ...]


def joined(wiring: Wiring) -> Wiring:
    """Return a wiring in which values that several boxes multiply come as one line.

    Each box has weights of its own for each of the values; the line says only that it
    is given all of them.

    Args:
        wiring: without joins.
    """
    taken = _taken(wiring)
    shared = [s for s in taken.values() if len(s) > 1]
    sets = sorted({s for s in shared if shared.count(s) > 1}, key=_size_then_places)
    parts, wires = list(wiring.parts), list(wiring.wires)
    lines: dict[frozenset[Source], Source] = {}
    for members in sets:
        lines[members] = Source(len(parts))
        parts.append(_join(wiring, members, parts, taken))
        target = len(parts) - 1
        found = _covered(members, {s: j for s, j in lines.items() if s != members})
        wires += [Wire(source, target, mixes=True) for source in found]
    for target, members in taken.items():
        own = {w for w in wires if w.target == target and w.mixes and not w.sometimes}
        if any(line <= members for line in lines):
            wires = [w for w in wires if w not in own]
            covered = _covered(members, lines)
            wires += [Wire(source, target, mixes=True) for source in covered]
    return replace(wiring, parts=tuple(parts), wires=tuple(wires))


def _taken(wiring: Wiring) -> dict[int, frozenset[Source]]:
    """Return by box the values that it multiplies by matrices, and adds."""
    found: dict[int, frozenset[Source]] = {}
    for target, part in enumerate(wiring.parts):
        wires = [w for w in wiring.wires if w.target == target and w.mixes]
        plain = not any(w.sometimes or w.mark for w in wires)
        if part.kind in ("gate", "squash", "norm", "linear", "spike") and plain:
            found[target] = frozenset(w.source for w in wires)
    return found


def _size_then_places(members: frozenset[Source]) -> tuple[int, list[int]]:
    return len(members), sorted(source.part for source in members)


def _covered(
    members: frozenset[Source], lines: dict[frozenset[Source], Source]
) -> Iterator[Source]:
    """Yield the largest lines inside of a set, and what they leave of it."""
    left = members
    for line in sorted(lines, key=_size_then_places, reverse=True):
        if line <= left:
            yield lines[line]
            left -= line
    yield from sorted(left, key=lambda source: (source.part, source.port))


def _join(
    wiring: Wiring,
    members: frozenset[Source],
    parts: list[Part],
    taken: dict[int, frozenset[Source]],
) -> Part:
    names = [word(parts[s.part], s.port) for s in sorted(members, key=lambda s: s.part)]
    users = [wiring.parts[t] for t, found in taken.items() if members <= found]
    listed = ", ".join(name for name in names if name)
    note = f"{listed} together; each box has weights of its own for each of them"
    return Part("join", note=note, in_block=all(part.in_block for part in users))


def word(part: Part, port: int = 0) -> str:
    """Return the name that a part's value has, or what stands in it."""
    if part.kind in TERMINALS:
        return part.lines[0]
    return part.names[port] if part.names else " ".join(part.lines)
