"""A picture as SVG: one file, no scripts, no fonts, light on paper and dark on request.

It brings its own ground, so that it can be read wherever it is put. The bytes hang on
the picture alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from .scene import Box, Line, Point, Scene, Shape, Text

MADE_BY = "<!-- made by cellwright figure -->"
"""Stands in each picture, so that it is known as one that can be made again."""
_MARGIN = 12
_CORNER = 7
_ROOT = "cellwright"
_MIDDLE = 0.35
"""From the middle of a line of text to its baseline, in sizes of the font. Programs
that turn SVG into other formats know baselines, and not all know middles."""
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

# Hues of Okabe and Ito, which people with any colour vision tell apart; the name and
# the function in each box say the same in words.
_LIGHT = {
    "ink": "#1b1f24",
    "soft": "#57606a",
    "wire": "#6b7480",
    "paper": "#ffffff",
    "terminal": ("#eef1f4", "#57606a"),
    "state": ("#dbe3ea", "#1b1f24"),
    "gate": ("#cfe6f7", "#0072b2"),
    "squash": ("#fde3c0", "#c47a00"),
    "norm": ("#e8dcf3", "#7b4fa3"),
    "linear": ("#e9ecef", "#6b7480"),
    "formula": ("#d5efe4", "#00805f"),
    "spike": ("#f9dccb", "#c04a00"),
}
_DARK = {
    "ink": "#f0f3f6",
    "soft": "#a9b4c0",
    "wire": "#8f9baa",
    "paper": "#16191d",
    "terminal": ("#2a3038", "#a9b4c0"),
    "state": ("#36404b", "#f0f3f6"),
    "gate": ("#0f3a57", "#56b4e9"),
    "squash": ("#4d3510", "#e69f00"),
    "norm": ("#3d2b52", "#c3a1e0"),
    "linear": ("#2f353c", "#a9b4c0"),
    "formula": ("#0e4033", "#2fc79b"),
    "spike": ("#54270f", "#f2834a"),
}
_SAME = {
    "input": "terminal",
    "output": "terminal",
    "before": "state",
    "after": "state",
    "name": "linear",
    "number": "linear",
    "split": "linear",
    "layer": "gate",
}
"""Styles of shapes that have the colours of others."""


def svg(scene: Scene) -> str:
    """Return a picture as the text of an SVG file.

    Args:
        scene: the picture.
    """
    found = scene.extent()
    left, top = found.left - _MARGIN, found.top - _MARGIN
    width, height = found.right - left + _MARGIN, found.bottom - top + _MARGIN
    box = " ".join(map(_number, (left, top, width, height)))
    size = f'width="{_number(width)}" height="{_number(height)}"'
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{_ROOT}" viewBox="{box}" '
            f'{size} role="img" aria-label={quoteattr(scene.title)}>'
        ),
        MADE_BY,
        f"<title>{escape(scene.title)}</title>",
        f"<desc>{escape(scene.description)}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="paper" x="{_number(left)}" y="{_number(top)}" {size} rx="6"/>',
        *(_shape(shape) for shape in scene.shapes if shape.form == "frame"),
        *(_line(line) for line in _sorted(scene.lines)),
        *(_shape(shape) for shape in scene.shapes if shape.form != "frame"),
        *(_text(text) for text in scene.texts),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _sorted(lines: Sequence[Line]) -> list[Line]:
    """Return lines with the lanes on top."""
    return sorted(lines, key=lambda line: line.style == "lane")


def _style() -> str:
    rules = [
        ("text", f"font-family:{_FONT}"),
        (".bold", "font-weight:bold"),
        ("path", "fill:none;stroke-width:1.4;stroke-linejoin:round"),
        (".lane", "stroke-width:2.6"),
        (".sometimes", "stroke-dasharray:5 4"),
        (".again", "stroke-dasharray:5 4"),
        (".shape", "stroke-width:1.4"),
        *_colours(_LIGHT),
        (".frame .shape", "fill:none;stroke-dasharray:2 4"),
        (".join .shape", "stroke:none"),
    ]
    dark = _scoped(_colours(_DARK))
    return f"{_scoped(rules)}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _scoped(rules: Iterable[tuple[str, str]]) -> str:
    """Return rules that hold in this picture alone, wherever it is put in."""
    return "".join(f".{_ROOT} {where}{{{what}}}" for where, what in rules)


def _colours(colours: dict[str, str | tuple[str, str]]) -> Iterator[tuple[str, str]]:
    names = {**{name: name for name in colours}, **_SAME}
    for name, of in names.items():
        pair = colours[of]
        if isinstance(pair, tuple):
            yield f".{name} .shape", f"fill:{pair[0]};stroke:{pair[1]}"
    ink, soft = colours["ink"], colours["soft"]
    wire, paper = colours["wire"], colours["paper"]
    yield ".paper", f"fill:{paper}"
    yield ".ink", f"fill:{ink}"
    yield ".soft", f"fill:{soft}"
    yield "path", f"stroke:{wire}"
    yield "path.lane", f"stroke:{ink}"
    yield ".head", f"fill:{wire}"
    yield ".head.lane", f"fill:{ink};stroke:none"
    yield ".operation .shape", f"fill:{paper};stroke:{ink}"
    yield ".frame .shape", f"stroke:{soft}"
    yield ".join .shape", f"fill:{wire}"


def _shape(shape: Shape) -> str:
    box = shape.box
    inside = "".join(_text(text) for text in (*shape.texts, *shape.beside))
    note = f"<title>{escape(shape.note)}</title>" if shape.note else ""
    name = f" data-name={quoteattr(shape.name)}" if shape.name else ""
    return f'<g class="{shape.style}"{name}>{note}{_form(shape, box)}{inside}</g>'


def _form(shape: Shape, box: Box) -> str:
    width, height = box.right - box.left, box.bottom - box.top
    if shape.form == "circle":
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        middle = f'cx="{_number(x)}" cy="{_number(y)}" r="{_number(width / 2)}"'
        return f'<circle class="shape" {middle}/>'
    radius = {
        "box": 5,
        "round": min(13.0, width / 2, height / 2),
        "bar": 2,
        "frame": 10,
    }
    place = f'x="{_number(box.left)}" y="{_number(box.top)}"'
    size = f'width="{_number(width)}" height="{_number(height)}"'
    return f'<rect class="shape" {place} {size} rx="{_number(radius[shape.form])}"/>'


def _text(text: Text) -> str:
    y = text.y + _MIDDLE * text.size
    place = f'x="{_number(text.x)}" y="{_number(y)}" font-size="{_number(text.size)}"'
    style = f"{text.style} bold" if text.bold else text.style
    anchor = f' text-anchor="{text.anchor}"' if text.anchor != "start" else ""
    said = escape(text.text)
    return f"<text class={quoteattr(style)} {place}{anchor}>{said}</text>"


def _line(line: Line) -> str:
    note = f"<title>{escape(line.note)}</title>" if line.note else ""
    points = list(line.points)
    head = ""
    if line.arrow:
        (x, y), (before, _) = points[-1], points[-2]
        if before < x or before > x:
            back = -1 if before < x else 1
            tip = [(x, y), (x + 7 * back, y - 3.5), (x + 7 * back, y + 3.5)]
            points[-1] = (x + 5 * back, y)
        else:
            up = -1 if points[-2][1] < y else 1
            tip = [(x, y), (x - 3.5, y + 7 * up), (x + 3.5, y + 7 * up)]
            points[-1] = (x, y + 5 * up)
        style = "head lane" if line.style == "lane" else "head"
        head = f'<polygon class="{style}" points="{_joined(tip)}"/>'
    return f'<g>{note}<path class="{line.style}" d="{_path(points)}"/>{head}</g>'


def _path(points: Sequence[Point]) -> str:
    """Return a way whose corners are round."""
    found = [f"M{_joined(points[:1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, _length(before, corner) / 2, _length(corner, after) / 2)
        one, other = _towards(corner, before, radius), _towards(corner, after, radius)
        found.append(f"L{_joined([one])}Q{_joined([corner, other])}")
    found.append(f"L{_joined(points[-1:])}")
    return "".join(found)


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, goal: Point, distance: float) -> Point:
    whole = _length(start, goal) or 1
    share = distance / whole
    return (
        start[0] + (goal[0] - start[0]) * share,
        start[1] + (goal[1] - start[1]) * share,
    )


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if abs(value) < 1e5 else f"{value:.0f}"
