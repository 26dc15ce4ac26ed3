"""A network, folded and step by step, with the shapes of tensors.

The input is at the bottom and time goes to the right. A layer stands once in the folded
picture and once a step in the unrolled one: with the same weights each time. Behind a
layer that hands on the last step alone, all others stand once there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .layer_box import AnyBox, LayerBox, sequence
from .measure import text_width
from .scene import Anchor, Box, Line, Point, Scene, Shape, Text

_HEIGHT, _LEAST_WIDTH = 44, 84
_RISE = 50
"""Between two layers, where the shapes are written."""
_STAGGER = 64
"""How much higher the layer stands that reads the sequence from behind."""
_LOOP, _PITCH = 30, 62
"""How far a loop goes out; what lies between two steps beside the labels."""
_SMALL = 11
_SHOWN = 2
"""Steps that are drawn before the last one, where there are more."""


def folded(layers: Sequence[AnyBox], steps: int | None = None) -> Scene:
    """Return a network with each layer once, and a loop for its states.

    Args:
        layers: from the input to the output.
        steps: length of the sequence; T if None.
    """
    paper = _Paper(layers, steps)
    paper.column(0, "", whole=True)
    paper.loops()
    return paper.scene("folded", "each once, with a loop for its states")


def unrolled(layers: Sequence[AnyBox], steps: int | None = None) -> Scene:
    """Return a network folded, and beside it step by step if something is recurrent.

    Args:
        layers: from the input to the output.
        steps: length of the sequence; T if None.
    """
    paper = _Paper(layers, steps)
    paper.column(0, "", whole=True)
    if not paper.recurrent:
        return paper.scene("", "from its input at the bottom to its output")
    paper.loops()
    paper.steps()
    return paper.scene(
        "unrolled", "folded at the left, and the same layers at each step at the right"
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A layer at a step: its box, and where its states pass."""

    box: Box
    shape: int


@dataclass
class _Paper:
    """Collects shapes, lines and texts of one picture."""

    layers: Sequence[AnyBox]
    length: int | None
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    places: list[list[list[_Place]]] = field(default_factory=list)

    @property
    def recurrent(self) -> list[LayerBox]:
        """The layers with states."""
        return [layer for layer in self.layers if isinstance(layer, LayerBox)]

    @property
    def half(self) -> float:
        """Half of the width of a box."""
        said = [text_width(layer.name, 14, bold=True) for layer in self.layers]
        said += [text_width(layer.units_said(), 12) for layer in self.layers]
        return max(_LEAST_WIDTH, *(width + 20 for width in said)) / 2

    @property
    def spread(self) -> float:
        """How far from a column's middle the boxes of two directions are."""
        both = any(layer.directions == 2 for layer in self.layers)
        return self.half + 9 if both else 0

    @property
    def last(self) -> str:
        """The last step: its number, or T."""
        return "T" if self.length is None else f"{self.length:,}"

    def line(
        self,
        points: Sequence[Point],
        ends: tuple[int, int],
        style: str = "wire",
        carries: int = -1,
        note: str = "",
    ) -> None:
        """Draw a line from a shape to another, that of a new value unless told."""
        own = len(self.lines) if carries < 0 else carries
        self.lines.append(Line(tuple(points), style, True, ends, own, note))

    def say(self, x: float, y: float, text: str, anchor: Anchor = "middle") -> None:
        """Write a shape, a name or a number beside what it is of."""
        self.texts.append(Text(x, y, text, _SMALL, "soft", anchor))

    def terminal(self, x: float, y: float, text: str, kind: str, note: str) -> int:
        """Draw an end of the picture, and return its place among the shapes."""
        half = max(15.0, (text_width(text, 14, bold=True) + 18) / 2)
        box = Box(x - half, y - 13, x + half, y + 13)
        said = (Text(x, y, text, 14, bold=True),)
        self.shapes.append(Shape("round", box, kind, said, (), note))
        return len(self.shapes) - 1

    def column(self, x: float, step: str, whole: bool = False) -> None:
        """Draw all layers at one step, or once for all of them.

        Args:
            x: the middle.
            step: which one it is.
            whole: whether the shapes are those of the whole sequence.
        """
        (name, _), *others = self.layers[0].input_names
        below = self.terminal(x, 0, name, "input", "what the network is given")
        if step:
            self.say(x, 22, f"t = {step}")
        for row, (other, shape) in enumerate(others if whole else ()):
            self.say(x, 22 + 14 * row, f"and {other} {sequence(shape)}")
        y = -13.0
        rows: list[list[_Place]] = []
        for layer in self.layers:
            if not (isinstance(layer, LayerBox) or whole) and layer.ends:
                if step != self.last or layer.ends == "all":
                    # What this step puts out goes nowhere but into the next one.
                    self.places.append(rows)
                    return
                continue
            if whole:
                self.say(x + 8, y - 20, layer.input_shape, "start")
            row, below, y = self.layer(layer, x, y, below)
            if isinstance(layer, LayerBox):
                rows.append(row)
        foot = y - _RISE + 26
        if whole:
            self.say(x + 8, (y + foot) / 2, self.layers[-1].output_shape, "start")
        note = "what the network puts out"
        end = self.terminal(x, foot - 13, "output", "output", note)
        self.line([(x, y), (x, foot)], (below, end))
        self.places.append(rows)

    def layer(
        self, layer: AnyBox, x: float, y: float, below: int
    ) -> tuple[list[_Place], int, float]:
        """Draw a layer; return its boxes, what its output leaves, and how high."""
        foot = y - _RISE + 13
        if layer.directions == 1:
            place = self.box(layer, x, foot)
            self.line([(x, y), (x, foot)], (below, place.shape))
            return [place], place.shape, place.box.top
        places = [
            self.box(layer, x - self.spread, foot),
            self.box(layer, x + self.spread, foot - _STAGGER, backwards=True),
        ]
        crest = foot - _HEIGHT - _STAGGER - 30
        bar = Box(x - 12, crest, x + 12, crest + 6)
        self.shapes.append(Shape("bar", bar, "join", (), (), "one behind the other"))
        joint = len(self.shapes) - 1
        number = len(self.lines)
        for place, side in zip(places, (-1, 1), strict=True):
            middle = x + side * self.spread
            bend = y - 8
            start = [(x, y), (x, bend), (middle, bend), (middle, place.box.bottom)]
            self.line(start, (below, place.shape), carries=number)
            out = (middle, place.box.top), (middle, crest + 3)
            self.line([*out, (x + side * 12, crest + 3)], (place.shape, joint))
        return places, joint, crest

    def box(
        self, layer: AnyBox, x: float, foot: float, backwards: bool = False
    ) -> _Place:
        """Draw the box of a layer, or of one of its directions."""
        box = Box(x - self.half, foot - _HEIGHT, x + self.half, foot)
        middle = foot - _HEIGHT / 2
        below = layer.units_said(backwards)
        lift = 9 if below else 0
        said = [Text(x, middle - lift, layer.name, 14, bold=True)]
        if below:
            said.append(Text(x, middle + 10, below, 12))
        self.shapes.append(Shape("box", box, "layer", tuple(said), (), layer.note))
        return _Place(box, len(self.shapes) - 1)

    def loops(self) -> None:
        """Draw what the states do in the folded picture."""
        for layer, row in zip(self.recurrent, self.places[0], strict=True):
            for number, place in enumerate(row):
                box = place.box
                # The forward one of two has its loop where no wire passes it.
                left = len(row) == 2 and number == 0
                x, out = (box.left, -_LOOP) if left else (box.right, _LOOP)
                y = (box.top + box.bottom) / 2
                way = [(x, y - 9), (x + out, y - 9), (x + out, y + 9), (x, y + 9)]
                self.line(way, (place.shape, place.shape), note=layer.state_names)
                said = layer.state_lines
                for at, text in enumerate(said):
                    height = y + (at - (len(said) - 1) / 2) * 15
                    spot = x + out + (-8 if left else 8), height
                    self.say(*spot, text, "end" if left else "start")

    def steps(self) -> None:
        """Draw the network step by step, at the right of what is there."""
        room = max(
            text_width(layer.state_names, 14, bold=True) for layer in self.recurrent
        )
        wide = 2 * (self.half + self.spread)
        pitch = wide + max(_PITCH, room + 24)
        inside = [text for shape in self.shapes for text in shape.texts]
        edge = max(text.box.right for text in (*self.texts, *inside))
        start = edge + 30 + room + 48 + wide / 2
        named = self.named_steps()
        for at, step in enumerate(named):
            if step:
                self.column(start + at * pitch, step)
        away = wide / 2 + 30 + (room + 18) / 2
        ends = start - away, start + (len(named) - 1) * pitch + away
        for number, layer in enumerate(self.recurrent):
            for way in range(layer.directions):
                places = [rows[number][way] for rows in self.places[1:]]
                self.carry(places, layer.state_names, way == 1, ends, "" in named)
        if "" in named:
            middle = start + named.index("") * pitch
            self.texts.append(Text(middle, 0, "…", 14))

    def named_steps(self) -> list[str]:
        """Return the steps that are drawn; an empty one stands for all between."""
        if self.length is not None and self.length <= _SHOWN + 1:
            return [str(step) for step in range(1, self.length + 1)]
        return [*(str(step) for step in range(1, _SHOWN + 1)), "", self.last]

    def carry(
        self,
        places: Sequence[_Place],
        label: str,
        backwards: bool,
        ends: tuple[float, float],
        gap: bool,
    ) -> None:
        """Draw the states of a layer on their way from step to step."""
        y = (places[0].box.top + places[0].box.bottom) / 2
        kinds = [("before", "the first states"), ("after", "the last states")]
        left, right = kinds[::-1] if backwards else kinds
        begin = self.terminal(ends[0], y, label, *left)
        end = self.terminal(ends[1], y, label, *right)
        row = [begin, *(place.shape for place in places), end]
        for at, (one, other) in enumerate(pairwise(row)):
            way = [(self.shapes[one].box.right, y), (self.shapes[other].box.left, y)]
            middle = (way[0][0] + way[1][0]) / 2
            meets = (other, one) if backwards else (one, other)
            way = way[::-1] if backwards else way
            self.line(way, meets, style="lane", note=label)
            if gap and at == len(places) - 1:
                self.texts.append(Text(middle, y - 9, "…", 14))
            elif 0 < at < len(places) and not self.spread:
                self.texts.append(Text(middle, y - 9, label, 12, "soft"))

    def scene(self, view: str, sentence: str) -> Scene:
        """Return the picture, with what has to be said below it."""
        names = ", ".join(layer.name for layer in self.layers)
        left = min(drawn.box.left for drawn in (*self.shapes, *self.texts))
        below = 52 + 14 * (len(self.layers[0].input_names) - 1)
        for row, text in enumerate(self.sentences() if self.recurrent else ()):
            spot = left, below + 17 * row
            self.texts.append(Text(*spot, text, 12, "soft", "start"))
        count, all_of_them = len(self.recurrent), len(self.layers)
        layers = f"{count} recurrent layer{'s' * (count > 1)}"
        if count < all_of_them:
            plural = "s" * (all_of_them > 1)
            layers = f"{all_of_them} layer{plural}, {count or 'none'} of them recurrent"
        return Scene(
            f"{names}: the network {view}".rstrip(),
            f"A network of {layers}, {sentence}.",
            tuple(self.shapes),
            tuple(self.lines),
            tuple(self.texts),
        )

    def sentences(self) -> tuple[str, ...]:
        """Return what has to be said below."""
        said = dict.fromkeys(layer.weights_said for layer in self.recurrent)
        length = "whatever T is"
        if self.length is not None:
            length = f"however long the sequence is (T = {self.last})"
        units = self.recurrent[0].units
        return (
            f"The same weights at every step: {', '.join(said)}.",
            f"Units are not time steps: {units} units, {length}.",
            f"T time steps, B sequences at once.{_letters(self.recurrent)}",
        )


def _letters(layers: Sequence[LayerBox]) -> str:
    said = " ".join(layer.weights + layer.units for layer in layers)
    meant = [("H", "hidden_size"), ("I", "input_size")]
    found = [f"{letter} = {name}" for letter, name in meant if letter in said]
    return f" {', '.join(found)}." if found else ""
