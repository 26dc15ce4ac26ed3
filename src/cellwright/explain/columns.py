"""Lay out lines of code with notes beside them, or below where they are too long."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from cellwright.language.functions import FUNCTIONS

LABEL, FUNCTION, NUMBER, NOTE = "bold", "cyan", "magenta", "dim"
LEAST_NOTE = 28
"""A note that would be narrower than this stands below its line, not beside it."""

_TOKEN = re.compile(r"[A-Za-z]\w*'?|\d+(?:\.\d*)?(?:e[+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what stands on the left, code, and a note."""

    label: str
    code: str
    note: str = ""


def layout(lines: Sequence[Line], width: int) -> Iterator[Text]:
    """Lay lines out: label, code, and the notes in one column where there is room.

    Args:
        lines: labels have the padding that they are to have.
        width: columns of the terminal.
    """
    lengths = [len(line.label) + len(line.code) for line in lines]
    beside = width - LEAST_NOTE - 4
    column = max((n for n in lengths if n <= beside), default=0) + 2
    for line, length in zip(lines, lengths, strict=True):
        if length < column:
            yield from _beside(line, column, width)
        else:
            yield from _below(line, width)


def fold(code: str, width: int) -> list[str]:
    """Fold an expression where it is nested least: before a sign or behind a comma.

    Example:
        >>> fold("where(m, a + b, where(n, c, d))", 26)
        ['where(m, a + b,', '  where(n, c, d))']
    """
    lines: list[str] = []
    while len(code) > width:
        places = [(depth, -place) for depth, place in _breaks(code) if place <= width]
        if not places:
            break
        place = -min(places)[1]
        lines.append(code[:place].rstrip())
        code = "  " + code[place:].lstrip()
    return [*lines, code]


def _breaks(code: str) -> Iterator[tuple[int, int]]:
    """Yield each place where code may be folded, with its depth in brackets."""
    depth = 0
    for place in range(len(code)):
        depth += (code[place] in "([") - (code[place] in ")]")
        before = re.match(r" (?:[-+=] |\[)", code[place:])
        if place > 2 and (before or code[place - 1 : place + 1] == ", "):
            yield depth, place


def _beside(line: Line, column: int, width: int) -> Iterator[Text]:
    text = Text().append(line.label, LABEL).append_text(highlighted(line.code))
    for note in _note(line.note, width - column) or [""]:
        text.append(" " * (column - len(text.plain) if note else 0))
        yield text.append(note, NOTE)
        text = Text()


def _below(line: Line, width: int) -> Iterator[Text]:
    margin = len(line.label)
    for row, code in enumerate(fold(line.code, width - margin)):
        label = line.label if row == 0 else " " * margin
        yield Text().append(label, LABEL).append_text(highlighted(code))
    for note in _note(line.note, width - margin - 2):
        yield Text(" " * (margin + 2)).append(note, NOTE)


def highlighted(code: str) -> Text:
    """Return code with its functions and numbers coloured; brackets are no markup."""
    result = Text(code)
    for token in _TOKEN.finditer(code):
        if token[0] in FUNCTIONS:
            result.stylize(FUNCTION, *token.span())
        elif token[0][0].isdigit():
            result.stylize(NUMBER, *token.span())
    return result


def _note(note: str, width: int) -> list[str]:
    return textwrap.wrap(
        note, max(width, 20), initial_indent="# ", subsequent_indent="# "
    )
