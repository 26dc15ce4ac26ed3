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
_ROUND_REACH = 10
"""How far from its middle a wire may enter a circle."""
_SIGN_BELOW = 9
"""How far a sign at the lowest wire may stand below a part."""
MARK_ROOM = 14
"""What signs at the left of a part need."""


@dataclass(frozen=True, slots=True)
class Look:
    """The size of a part, round the point where its first wire leaves.

    Args:
        form: what is drawn.
        width: of the form.
        up: what of the form is above the point.
        down: what of the form is below the point.
        below: of the caption.
        mark: at the left, for signs.
    """

    form: Form
    width: float
    up: float
    down: float
    below: float = 0
    mark: float = 0

    def edge(self, offset: float) -> float:
        """Return how far from its middle a part's outline is, at a height."""
        half = (self.up + self.down) / 2
        rounded = self.form in ("circle", "round")
        radius = min(half, self.width / 2, RADIUS) if rounded else 0
        above = abs(offset - (self.down - self.up) / 2) - (half - radius)
        cut = radius - math.sqrt(max(radius**2 - above**2, 0)) if above > 0 else 0
        return self.width / 2 - cut


def look(part: Part, above: float, below: float, marked: bool) -> Look:
    """Return the size of a part.

    Args:
        part: the part.
        above: how far above its point the highest wire enters.
        below: how far below its point the lowest wire enters.
        marked: whether signs stand beside the wires.
    """
    form, width, height, edge = _form(part)
    if form == "circle" and max(above, below) > _ROUND_REACH:
        form = "round"
    height = max(height, above + below + 2 * edge)
    # The form goes as far up or down as its wires need, and no further.
    shift = max(0.0, below + edge - height / 2) - max(0.0, above + edge - height / 2)
    captioned = part.caption or (part.kind == "operation" and part.names)
    room = _CAPTION_HEIGHT + _SIGN_BELOW * marked if captioned else 0
    mark = MARK_ROOM if marked else 0
    up, down = height / 2 - shift, height / 2 + shift
    if form == "circle":
        up = down = RADIUS
    return Look(form, width, up, down, room, mark)


def _form(part: Part) -> tuple[Form, float, float, float]:
    """Return form, width, height, and how near to its ends wires may enter."""
    if part.kind == "join":
        return "bar", 6, 14, 7
    if part.kind in (*TERMINALS, "number", "name"):
        (text,) = _round_texts(part)
        width = max(30, _even(text_width(text, NAME, True) + 18))
        return "round", width, 2 * RADIUS, 5
    names = [text_width(name, NAME, True) for name in part.names]
    lines = [text_width(line, LINE) for line in part.lines]
    if part.kind == "operation":
        if len(part.lines[0]) <= 2:
            return "circle", 2 * RADIUS, 2 * RADIUS, 8
        return "round", _even(lines[0] + 18), 2 * RADIUS, 5
    if part.kind == "split" and part.names:
        width = max(lines) + max(names) + 30
        return "box", _even(width), len(names) * _NAME_HEIGHT + 8, 7
    width = max([*names, *lines, 26]) + 18
    height = len(names) * _NAME_HEIGHT + len(lines) * _LINE_HEIGHT + 12
    return "box", _even(width), _even(height), 7


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
        y: the height of its point.
    """
    box = Box(x - found.width / 2, y - found.up, x + found.width / 2, y + found.down)
    y += (found.down - found.up) / 2
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
        under = box.bottom + 9 + _SIGN_BELOW * (found.mark > 0)
        beside = (Text(x, under, caption, size, style, bold=bold),)
    name = part.names[0] if len(part.names) == 1 else ""
    return Shape(found.form, box, part.kind, tuple(texts), beside, part.note, name)


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
