"""What is wrong with a picture: texts, boxes and lines that are in each other's way."""

from collections.abc import Iterator
from itertools import combinations

from cellwright.explain.figures.scene import Box, Line, Point, Scene, Shape, Text

NEAR = 3.0
"""Lines of two values that run beside each other keep this apart, in pixels."""


def faults(scene: Scene) -> list[str]:
    """Return everything that a reader of a picture would stumble over."""
    return [
        *_texts(scene),
        *_shapes(scene),
        *(f for line in scene.lines for f in _line(scene, line)),
        *_lines(scene),
    ]


def crossings(scene: Scene) -> int:
    """Return how often lines of two values cross."""
    found = [(line, s) for line in scene.lines for s in line.stretches()]
    return sum(
        one.carries != other.carries and _cross(first, second)
        for (one, first), (other, second) in combinations(found, 2)
    )


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    for level, upright in ((one, other), (other, one)):
        if level[0][1] == level[1][1] and upright[0][0] == upright[1][0]:
            left, right = sorted((level[0][0], level[1][0]))
            top, bottom = sorted((upright[0][1], upright[1][1]))
            return left < upright[0][0] < right and top < level[0][1] < bottom
    return False


def _all_texts(scene: Scene) -> Iterator[tuple[Text, int]]:
    for place, shape in enumerate(scene.shapes):
        for text in (*shape.texts, *shape.beside):
            yield text, place
    for text in scene.texts:
        yield text, -1


def _texts(scene: Scene) -> Iterator[str]:
    found = list(_all_texts(scene))
    for (one, _), (other, _) in combinations(found, 2):
        if one.box.overlaps(other.box):
            yield f"the texts {one.text!r} and {other.text!r} overlap"
    for shape in scene.shapes:
        for text in shape.texts:
            if not shape.box.holds(text.box):
                yield f"the text {text.text!r} stands out of its box"
    for text, place in found:
        for other, shape in enumerate(scene.shapes):
            own = other == place and text in shape.texts
            if not own and shape.form != "frame" and text.box.overlaps(shape.box):
                yield f"the text {text.text!r} lies over {_name(shape)}"


def _shapes(scene: Scene) -> Iterator[str]:
    solid = [shape for shape in scene.shapes if shape.form != "frame"]
    for one, other in combinations(solid, 2):
        if one.box.overlaps(other.box):
            yield f"{_name(one)} and {_name(other)} overlap"


def _line(scene: Scene, line: Line) -> Iterator[str]:
    """Yield what a line runs through, and where it does not meet its ends."""
    stretches = list(line.stretches())
    for at, (one, other) in enumerate(stretches):
        if one[0] != other[0] and one[1] != other[1]:
            yield f"a line from {one} to {other} is slanted"
        thin = _thin(one, other)
        for place, shape in enumerate(scene.shapes):
            own = (place == line.ends[0] and at == 0) or (
                place == line.ends[1] and at == len(stretches) - 1
            )
            if shape.form != "frame" and thin.overlaps(shape.box) and not own:
                yield f"a line {line.note!r} runs through {_name(shape)}"
        for text, _ in _all_texts(scene):
            if thin.overlaps(text.box):
                yield f"a line {line.note!r} runs through the text {text.text!r}"
    for end, point in zip(line.ends, (line.points[0], line.points[-1]), strict=True):
        if end >= 0 and not _on_outline(scene.shapes[end], point):
            yield f"a line {line.note!r} does not end at {_name(scene.shapes[end])}"


def _on_outline(shape: Shape, point: Point) -> bool:
    box, (x, y) = shape.box, point
    inside = box.left <= x <= box.right and box.top <= y <= box.bottom
    middle = (box.left + box.right) / 2
    deep = min(
        abs(x - box.left), abs(x - box.right), abs(y - box.top), abs(y - box.bottom)
    )
    # A circle's outline lies inside of its square, at most by its radius.
    return inside and (
        round(deep, 6) == 0 or (shape.form in ("circle", "round") and x != middle)
    )


def _lines(scene: Scene) -> Iterator[str]:
    """Yield lines of two values that lie on one another, so that none can tell them."""
    found = [(line, s) for line in scene.lines for s in line.stretches()]
    for (one, first), (other, second) in combinations(found, 2):
        if one.carries != other.carries and _along(first, second):
            yield f"lines {one.note!r} and {other.note!r} lie on one another at {first}"


def _along(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    for axis in (0, 1):
        level = 1 - axis
        if one[0][level] != one[1][level] or other[0][level] != other[1][level]:
            continue
        if abs(one[0][level] - other[0][level]) >= NEAR:
            continue
        low = max(min(p[axis] for p in one), min(p[axis] for p in other))
        high = min(max(p[axis] for p in one), max(p[axis] for p in other))
        if high - low > 1:
            return True
    return False


def _thin(one: Point, other: Point) -> Box:
    (left, right), (top, bottom) = (
        sorted((one[0], other[0])),
        sorted((one[1], other[1])),
    )
    return Box(left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)


def _name(shape: Shape) -> str:
    said = " ".join(text.text for text in shape.texts)
    return f"the {shape.style} {said!r}"
