"""What a picture consists of: shapes, texts and lines, each in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .measure import text_width

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
Form = Literal["box", "round", "circle", "bar", "frame"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Whether two rectangles have a point inside both."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether another rectangle lies inside of this one."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text.

    Args:
        x: of its start, middle or end, as ``anchor`` says.
        y: of its middle.
        text: what it says.
        size: of the font.
        style: a class of the style sheet.
        anchor: what ``x`` is.
        bold: whether it is bold.
    """

    x: float
    y: float
    text: str
    size: float = 12
    style: str = "ink"
    anchor: Anchor = "middle"
    bold: bool = False

    @property
    def box(self) -> Box:
        """What the text covers, at most."""
        width = text_width(self.text, self.size, self.bold)
        left = self.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        half = self.size * 0.5
        return Box(left, self.y - half, left + width, self.y + half)


@dataclass(frozen=True, slots=True)
class Shape:
    """A box, a circle or a frame, with the texts inside of it and beside it.

    Args:
        form: what is drawn.
        box: where.
        style: a class of the style sheet.
        texts: inside of the box.
        beside: texts that belong to it, outside.
        note: what is shown when the pointer rests on it.
        name: of the value that it stands for, empty for none.
    """

    form: Form
    box: Box
    style: str
    texts: tuple[Text, ...] = ()
    beside: tuple[Text, ...] = ()
    note: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A wire: a way of horizontal and vertical stretches.

    Args:
        points: its corners.
        style: a class of the style sheet.
        arrow: whether an arrowhead ends it.
        ends: places in the list of shapes of what it leaves and enters; -1 is none.
        carries: lines with the same number carry the same value, and may share a way.
        note: what is shown when the pointer rests on it.
    """

    points: tuple[Point, ...]
    style: str = "wire"
    arrow: bool = True
    ends: tuple[int, int] = (-1, -1)
    carries: int = -1
    note: str = ""

    def stretches(self) -> Iterator[tuple[Point, Point]]:
        """Yield its straight parts."""
        yield from zip(self.points, self.points[1:], strict=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture.

    Args:
        title: its name, for those who cannot see it and as a tooltip.
        description: what it shows, in a sentence.
        shapes: boxes, circles and frames.
        lines: wires, drawn below the shapes.
        texts: texts that belong to no shape.
    """

    title: str
    description: str
    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]
    texts: tuple[Text, ...] = ()

    def extent(self) -> Box:
        """Return the smallest rectangle round everything."""
        boxes = [shape.box for shape in self.shapes]
        boxes += [t.box for s in self.shapes for t in (*s.texts, *s.beside)]
        boxes += [text.box for text in self.texts]
        points = [point for line in self.lines for point in line.points]
        boxes += [Box(x, y, x, y) for x, y in points]
        return Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )
