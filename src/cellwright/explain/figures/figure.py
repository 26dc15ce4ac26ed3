"""Pictures of cells and of networks as SVG, by one call each."""

from __future__ import annotations

from collections.abc import Sequence

from cellwright.language.cell import Cell

from .arrange import arranged
from .network import LayerBox, folded, unrolled
from .reading import wiring
from .svg import svg


def cell_figure(cell: Cell) -> str:
    """Return the wiring of a cell as SVG, drawn from its equations.

    Args:
        cell: any cell.

    Example:
        >>> import cellwright as cw
        >>> cell_figure(cw.cells.load("lstm")).startswith("<svg")
        True
    """
    return svg(arranged(wiring(cell)))


def network_figure(
    layers: Sequence[LayerBox], steps: int | None = None, *, unroll: bool = True
) -> str:
    """Return a network of recurrent layers as SVG, each layer once and step by step.

    Args:
        layers: from the input to the output.
        steps: length of the sequence; T if None.
        unroll: False draws the folded network alone.
    """
    draw = unrolled if unroll else folded
    return svg(draw(layers, steps))
