"""Pictures of cells and of networks as SVG, by one call each."""

from __future__ import annotations

from collections.abc import Sequence

from cellwright.errors import CellwrightValueError
from cellwright.language.cell import Cell

from .arrange import arranged
from .layer_box import AnyBox
from .network import folded, unrolled
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
    layers: Sequence[AnyBox], steps: int | None = None, *, unroll: bool = True
) -> str:
    """Return a network as SVG, each layer once, and step by step what is recurrent.

    Args:
        layers: from the input to the output.
        steps: length of the sequence; T if None.
        unroll: False draws the folded network alone.

    Raises:
        CellwrightValueError: without a layer or a step, or for three directions.

    Example:
        >>> import cellwright as cw
        >>> from cellwright.explain import layer_box
        >>> gru = layer_box(cw.cells.load("gru"))
        >>> network_figure([gru], steps=20).startswith("<svg")
        True
    """
    if not layers:
        raise CellwrightValueError("a network has one layer or more, got none")
    if steps is not None and steps < 1:
        raise CellwrightValueError(f"a sequence has one step or more, got {steps}")
    for layer in layers:
        if layer.directions not in (1, 2):
            raise CellwrightValueError(
                f"{layer.name}: a layer reads a sequence in 1 or 2 directions, "
                f"got {layer.directions}"
            )
    draw = unrolled if unroll else folded
    return svg(draw(layers, steps))
