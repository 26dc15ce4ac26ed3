"""What differs between two cells, as lines for a terminal in the manner of diff."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from cellwright.language.cell import Cell

from .columns import LABEL, NOTE, fold
from .counts import formula, legend
from .difference import Change, Difference

GONE, NEW = "red", "green"

_DECLARED = re.compile(r"( *(?:weight|bias|state|input|constant|size)) (\w+)(.*)")


def unified(one: Cell, other: Cell, found: Difference, width: int) -> Iterator[Text]:
    """Yield the lines of a difference.

    Args:
        one: the first cell.
        other: the second.
        found: what differs between them.
        width: columns of the terminal.
    """
    margin = max(len(one.name), len(other.name)) + 2
    for sign, cell, style in (("---", one, GONE), ("+++", other, NEW)):
        title = textwrap.shorten(cell.title, max(20, width - margin - 4))
        start = Text().append(f"{sign} {cell.name:{margin}}", f"{LABEL} {style}")
        yield start.append(title)
    yield Text()
    if found.equal:
        words = " in other words" if found.changes else ""
        yield Text(f"Both say the same cell{words}.")
    for gone, new in _hunks(found.changes):
        yield from _lines("- ", gone, GONE, width)
        yield from _lines("+ ", new, NEW, width)
    if found.same:
        yield Text()
        yield Text(f"the same equations: {', '.join(found.same)}", NOTE)
    yield Text()
    yield from _parameters(found, width)


def _hunks(changes: Sequence[Change]) -> Iterator[tuple[list[str], list[str]]]:
    """Put together what reads as one change, so that names share a line."""
    run: list[Change] = []
    for change in changes:
        if run and not _alike(run[-1], change):
            yield _sides(run)
            run = []
        run.append(change)
    yield _sides(run)


def _sides(run: Sequence[Change]) -> tuple[list[str], list[str]]:
    before, after = [c.before for c in run], [c.after for c in run]
    return [text for text in before if text], [text for text in after if text]


def _alike(one: Change, other: Change) -> bool:
    """Say whether two changes are one: gone or new both, or the same to two names."""
    sides = [(bool(c.before), bool(c.after)) for c in (one, other)]
    if (True, True) not in sides:
        return True
    if (one.before, one.after) == (other.before, other.after):
        return True  # two parts of one split
    declared = _DECLARED.fullmatch(one.before) is not None
    return declared and _skeleton(one) == _skeleton(other)


def _skeleton(change: Change) -> tuple[str, ...]:
    """Return both statements of a change without the name that is changed."""
    name = rf"(?<!\w){re.escape(change.name)}(?![\w'])"
    return tuple(re.sub(name, "", text) for text in (change.before, change.after))


def _lines(sign: str, statements: Iterable[str], style: str, width: int) -> list[Text]:
    return [
        Text((sign if row == 0 else "  ") + line, style)
        for statement in _joined(statements)
        for row, line in enumerate(fold(statement, width - 2))
    ]


def _joined(statements: Iterable[str]) -> list[str]:
    """Return statements, declarations that differ in their name only as one.

    The targets of a split share one equation: it is kept once.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for statement in statements:
        form = _DECLARED.fullmatch(statement)
        if form is None:
            names.setdefault((statement, ""), [])
        else:
            names.setdefault((form[1] + " ", form[3]), []).append(form[2])
    return [start + ", ".join(found) + rest for (start, rest), found in names.items()]


def _parameters(found: Difference, width: int) -> Iterator[Text]:
    before, after = found.counts
    meaning = legend(found.counts)
    if before == after:
        yield Text(f"parameters  {formula(after)} in both  ").append(meaning, NOTE)
    else:
        yield Text("parameters  ").append(f"- {formula(before)}", GONE)
        yield Text(" " * 12).append(f"+ {formula(after)}", NEW)
        yield from _change(formula(after - before), meaning, width)
    for word, names in (
        ("added", found.added),
        ("removed", found.removed),
        ("resized", found.resized),
    ):
        if names:
            listed = ", ".join(names)
            lines = textwrap.wrap(
                f"{word:10}  {listed}", width, subsequent_indent=" " * 12
            )
            yield from map(Text, lines)


def _change(change: str, meaning: str, width: int) -> Iterator[Text]:
    """Yield by how much the number changes, its letters behind it or below."""
    indent = " " * 12
    first = f"{'change':12}{change}"
    if len(first) + 2 + len(meaning) <= width:
        yield Text(f"{first}  ").append(meaning, NOTE)
    else:
        yield from map(Text, textwrap.wrap(first, width, subsequent_indent=indent))
        yield Text(indent).append(meaning, NOTE)
