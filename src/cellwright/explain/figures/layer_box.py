"""A recurrent layer as pictures of networks need it: names, shapes and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cellwright.ir.sizes import Shape, Size
from cellwright.language.cell import Cell

from ..counts import all_sizes, formula, parameter_count


@dataclass(frozen=True, slots=True)
class LayerBox:
    """A recurrent layer, for a picture of a network.

    Args:
        name: what it is called.
        inputs: names and shapes of what one step is given, its own input first.
        output: shape of what it puts out at one step.
        states: names and shapes of its states.
        units: how many units it has.
        weights: how many numbers it learns, in each direction.
        directions: 2 if a second layer reads the sequence from behind.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    output: str
    states: tuple[tuple[str, str], ...]
    units: str
    weights: str
    directions: int = 1

    @property
    def state_names(self) -> str:
        """The states, ``h, c``."""
        return ", ".join(name for name, _ in self.states)

    @property
    def state_lines(self) -> list[str]:
        """The states with their shapes; those of one shape stand together."""
        shapes: dict[str, list[str]] = {}
        for name, shape in self.states:
            shapes.setdefault(shape, []).append(name)
        return [
            f"{', '.join(names)}: [B, {shape}]" if shape else f"{', '.join(names)}: [B]"
            for shape, names in shapes.items()
        ]

    @property
    def input_shape(self) -> str:
        """What it is given for a whole sequence, ``[T, B, I]``."""
        return sequence(self.inputs[0][1])

    @property
    def output_shape(self) -> str:
        """What it puts out for a whole sequence, both directions side by side."""
        number = self.output.replace(",", "")
        if self.directions == 1:
            return sequence(self.output)
        twice = f"{2 * int(number):,}" if number.isdigit() else f"2·{self.output}"
        return sequence(twice)

    @property
    def input_names(self) -> tuple[tuple[str, str], ...]:
        """What the network is given, where this is its first layer."""
        return self.inputs

    @property
    def note(self) -> str:
        """What is shown when the pointer rests on it."""
        return f"{self.weights} weights, the same at every step"

    @property
    def weights_said(self) -> str:
        """How many weights it has, in words."""
        both = " in each direction" if self.directions == 2 else ""
        return f"{self.weights} in {self.name}{both}"

    def units_said(self, backwards: bool = False) -> str:
        """Return the second line of a box; of two directions it says which."""
        if self.directions == 1:
            return f"{self.units} units"
        return f"← {self.units} units" if backwards else f"{self.units} units →"


Ends = Literal["", "last", "all"]


@dataclass(frozen=True, slots=True)
class PlainBox:
    """A layer without states, for a picture of a network.

    Args:
        name: its class.
        said: what its second line says, ``20 units``; empty for none.
        takes: shape of what it takes, for a whole sequence ``[T, B, 300]``.
        gives: shape of what it gives.
        ends: what of time it hands on, so that what stands behind it runs once: the
            ``last`` step, ``all`` of them together; empty for a layer that leaves each
            step where it is.
        directions: 1, as of a layer that reads a sequence once.
    """

    name: str
    said: str
    takes: str
    gives: str
    ends: Ends = ""
    directions: int = 1

    @property
    def input_shape(self) -> str:
        """What it takes."""
        return self.takes

    @property
    def output_shape(self) -> str:
        """What it gives."""
        return self.gives

    @property
    def input_names(self) -> tuple[tuple[str, str], ...]:
        """What the network is given, where this is its first layer."""
        return (("x", ""),)

    @property
    def note(self) -> str:
        """What is shown when the pointer rests on it."""
        return f"takes {self.takes}, gives {self.gives}"

    def units_said(self, backwards: bool = False) -> str:  # noqa: ARG002  # one way
        """Return the second line of its box."""
        return self.said


AnyBox = LayerBox | PlainBox


def sequence(shape: str) -> str:
    """Return the shape of a sequence of what has this shape at one step."""
    return f"[T, B, {shape}]" if shape else "[T, B]"


def layer_box(
    cell: Cell, sizes: Mapping[str, int] | None = None, directions: int = 1
) -> LayerBox:
    """Return a layer of a cell, for a picture of a network.

    Args:
        cell: any cell.
        sizes: numbers for its sizes; without them the shapes are in letters.
        directions: 2 if a second layer reads the sequence from behind.

    Raises:
        SizeError: for a size that is missing or unknown, or does not fit.

    Example:
        >>> import cellwright as cw
        >>> box = layer_box(
        ...     cw.cells.load("lstm"), {"input_size": 1, "hidden_size": 300}
        ... )
        >>> box.states, box.weights
        ((('h', '300'), ('c', '300')), '362,400')
    """
    graph = cell.graph
    values = all_sizes(graph, sizes) if sizes else {}

    def said(size: Size) -> str:
        return f"{size.evaluate(values):,}" if sizes else formula(size)

    def shape(of: Shape) -> str:
        return ", ".join(map(said, of))

    return LayerBox(
        cell.name,
        tuple((row.name, shape(row.shape)) for row in graph.inputs),
        shape(graph.output_shape),
        tuple((row.name, shape(row.shape)) for row in graph.states),
        said(Size.named("hidden_size")),
        said(parameter_count(graph)),
        directions,
    )
