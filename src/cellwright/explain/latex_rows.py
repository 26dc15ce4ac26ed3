r"""Set equations as rows of an ``align`` that fit the line, descriptions beside them.

A formula that is too long goes on below, a description too long for the place that is
left becomes several lines of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .latex_width import formula_width, text_width

LINE = 27.5
"""What a formula and its description may take, in em: the width of LaTeX's ``article``
less the number of the equation and what stands between."""
_LEAST_NOTE, _LEAST_BOX = 8.0, 6.0
_INDENT = 2.0
_SIGN = re.compile(r" [+-] ")
_LEFT, _RIGHT = re.compile(r"\\left\b"), re.compile(r"\\right\b")


@dataclass(frozen=True, slots=True)
class Row:
    """An equation, or what stands between some.

    Args:
        left: what it defines; empty for a line that is no equation, and has no number.
        right: the formula.
        note: its description, as LaTeX.
    """

    left: str
    right: str
    note: str = ""

    @property
    def text(self) -> str:
        """The row on one line."""
        sign = "&= " if self.left else "&"
        return f"{self.left} {sign}{self.right}".lstrip()


def set_rows(rows: Sequence[Row]) -> str:
    """Return the body of the ``align``.

    Args:
        rows: the equations.
    """
    left = max(formula_width(row.left) for row in rows)
    longest = max((text_width(row.note) for row in rows), default=0.0)
    # Notes give way first, down to a column that still reads well.
    room = LINE - left - 1.3 - min(longest, _LEAST_NOTE)
    broken = [_broken(row.right, room) for row in rows]
    right = max(_widest(parts) for parts in broken)
    place = LINE - left - 1.3 - right
    lines = [
        line
        for row, parts in zip(rows, broken, strict=True)
        for line in _lines(row, parts, place)
    ]
    return " \\\\\n".join(lines)


def _lines(row: Row, parts: Sequence[str], place: float) -> list[str]:
    """Return the lines of a row; the number stands at its last one."""
    first = Row(row.left, parts[0]).text + _note(row.note, place, len(parts))
    lines = [first, *(rf"&\quad {{}} {part}" for part in parts[1:])]
    unnumbered = [rf"{line} \notag" for line in lines[:-1]]
    return [*unnumbered, lines[-1] if row.left else rf"{lines[-1]} \notag"]


def _note(note: str, place: float, rows: int) -> str:
    if not note:
        return ""
    if text_width(note) <= place:
        return rf" && \text{{{note}}}"
    width = max(place, _LEAST_BOX)
    box = rf"\parbox[t]{{{width:.1f}em}}{{\raggedright {note}}}"
    # Words leave some of each line empty, hence the 1.15.
    beside = 1.15 * text_width(note) <= rows * width
    return rf" && \smash[b]{{{box}}}" if beside else f" && {box}"


def _broken(formula: str, room: float) -> list[str]:
    """Cut a formula before signs, so that each part fits as far as there are signs."""
    parts: list[str] = []
    rest = formula
    while formula_width(rest) > room - _INDENT * bool(parts):
        cuts = [cut for cut in _cuts(rest) if cut.place > 0]
        if not cuts:
            break
        space = room - _INDENT * bool(parts)
        widths = {cut: formula_width(rest[: cut.place]) for cut in cuts}
        fitting = [cut for cut in cuts if widths[cut] <= space]
        full = [cut for cut in fitting if widths[cut] >= space / 2]
        # Outside of brackets if that fills the line, there as late as it fits.
        best = min(full, key=lambda c: (c.depth, -c.place), default=None)
        best = best or (fitting or cuts[:1])[-1]
        parts.append(rest[: best.place])
        rest = rest[best.place + 1 :]
    return [*parts, rest]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A sign that a formula may be cut before, and how many brackets are open."""

    place: int
    depth: int


def _cuts(formula: str) -> list[_Cut]:
    r"""Return the signs that no group and no ``\left`` holds together."""
    cuts: list[_Cut] = []
    for found in _SIGN.finditer(formula):
        before = formula[: found.start()]
        braces = before.count("{") - before.count("}")
        held = len(_LEFT.findall(before)) - len(_RIGHT.findall(before))
        if braces == held == 0:
            depth = before.count("(") - before.count(")")
            cuts.append(_Cut(found.start(), depth))
    return cuts


def _widest(parts: Sequence[str]) -> float:
    first, *others = map(formula_width, parts)
    return max([first, *(_INDENT + other for other in others)])
