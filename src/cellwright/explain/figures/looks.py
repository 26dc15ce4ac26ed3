"""What a part looks like: its form, its size, and the texts in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .measure import text_width
from .scene import Box, Form, Shape, Text
from .wiring import TERMINALS, Part

NAME, LINE, CAPTION = 14, 12, 11
"""Sizes of the fonts: of a name in a box, of what it computes, of what stands below."""
_NAME_HEIGHT, _LINE_HEIGHT, _CAPTION_HEIGHT = 18, 15, 16
RADIUS = 13
MARK_ROOM = 12
"""What signs at the left of a part need."""


@dataclass(frozen=True, slots=True)
class Look:
    """The size of a part, round the point where its first wire leaves.

    Args:
        form: what is drawn.
        width: of the form.
        half: of its height.
        below: of the caption.
        mark: at the left, for signs.
    """

    form: Form
    width: float
    half: float
    below: float = 0
    mark: float = 0

    def edge(self, offset: float) -> float:
        """Return how far from its middle a part's outline is, at a height."""
        corner = {"circle": self.half, "round": min(self.half, RADIUS)}
        radius = corner.get(self.form, 0)
        above = abs(offset) - (self.half - radius)
        cut = radius - math.sqrt(max(radius**2 - above**2, 0)) if above > 0 else 0
        return self.width / 2 - cut


def look(part: Part, reach: float, marked: bool) -> Look:
    """Return the size of a part.

    Args:
        part: the part.
        reach: how far from its middle the outermost wire enters.
        marked: whether signs stand beside the wires.
    """
    mark = MARK_ROOM if marked else 0
    if part.kind == "join":
        return Look("bar", 6, reach + 7)
    if part.kind in (*TERMINALS, "number", "name"):
        (text,) = _round_texts(part)
        width = max(30, _even(text_width(text, NAME, True) + 18))
        below = _CAPTION_HEIGHT if part.caption else 0
        return Look("round", width, max(RADIUS, reach + 5), below, mark)
    if part.kind == "operation":
        label = part.lines[0]
        below = _CAPTION_HEIGHT if part.names else 0
        if len(label) <= 2:
            form: Form = "circle" if reach <= 10 else "round"
            half = RADIUS if reach <= 10 else reach + 7
            return Look(form, 2 * RADIUS, half, below, mark)
        width = _even(text_width(label, LINE) + 18)
        return Look("round", width, max(RADIUS, reach + 5), below, mark)
    return _box(part, reach, mark)


def _box(part: Part, reach: float, mark: float) -> Look:
    names = [text_width(name, NAME, True) for name in part.names]
    lines = [text_width(line, LINE) for line in part.lines]
    if part.kind == "split" and part.names:
        width = max(lines) + max(names) + 30
        height = len(names) * _NAME_HEIGHT + 8
    else:
        width = max([*names, *lines, 26]) + 18
        height = len(names) * _NAME_HEIGHT + len(lines) * _LINE_HEIGHT + 12
    return Look("box", _even(width), max(_even(height) / 2, reach + 7), 0, mark)


def exits(part: Part, port: int) -> float:
    """Return how far below its middle a value leaves a part."""
    if part.kind != "split" or not part.names:
        return 0
    return (port - (len(part.names) - 1) / 2) * _NAME_HEIGHT


def shape(part: Part, found: Look, x: float, y: float) -> Shape:
    """Return a part, drawn.

    Args:
        part: the part.
        found: its size.
        x: its middle.
        y: its middle.
    """
    box = Box(x - found.width / 2, y - found.half, x + found.width / 2, y + found.half)
    beside: tuple[Text, ...] = ()
    if part.kind in (*TERMINALS, "number", "name"):
        (said,) = _round_texts(part)
        texts = [Text(x, y, said, NAME, bold=True)]
    elif part.kind == "operation":
        size = 16 if len(part.lines[0]) == 1 else LINE
        texts = [Text(x, y, part.lines[0], size)]
    elif part.kind == "split" and part.names:
        texts = _split_texts(part, box, y)
    else:
        texts = _lines(part, x, y)
    own = part.names if part.kind == "operation" else ()
    caption = "".join(own) or part.caption
    if caption:
        bold = part.kind == "operation"
        style = "ink" if bold else "soft"
        size = LINE if bold else CAPTION
        beside = (Text(x, box.bottom + 9, caption, size, style, bold=bold),)
    return Shape(found.form, box, part.kind, tuple(texts), beside, part.note)


def _round_texts(part: Part) -> tuple[str]:
    if part.kind == "number":
        return (" = ".join([*part.names, *part.lines]),)
    return ((*part.lines, *part.names)[0],)


def _lines(part: Part, x: float, y: float) -> list[Text]:
    named = len(part.names) * _NAME_HEIGHT
    top = y - (named + len(part.lines) * _LINE_HEIGHT) / 2
    texts = [
        Text(x, top + _NAME_HEIGHT / 2, name, NAME, bold=True) for name in part.names
    ]
    for row, line in enumerate(part.lines):
        middle = top + named + (row + 0.5) * _LINE_HEIGHT
        texts.append(Text(x, middle, line, LINE))
    return texts


def _split_texts(part: Part, box: Box, y: float) -> list[Text]:
    label = [Text(box.left + 9, y, part.lines[0], LINE, anchor="start")]
    names = [
        Text(box.right - 9, y + exits(part, port), name, NAME, "ink", "end", True)
        for port, name in enumerate(part.names)
    ]
    return [*label, *names]


def _even(width: float) -> float:
    return math.ceil(width / 2) * 2
