"""``cellwright figure``: a cell as a picture, for papers, slides and pages."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cellwright.cells import find
from cellwright.explain import cell_figure, layer_box, network_figure
from cellwright.language.cell import Cell

from .arguments import CellName, UsageError, examples, pairs
from .files import PICTURE, require_free, write_text
from .output import write_lines

LENGTH = "T"
"""The length of the sequence, beside the sizes of a cell."""


class View(str, Enum):
    """What is drawn."""

    cell = "cell"
    folded = "folded"
    unrolled = "unrolled"


@examples(
    "cellwright figure lstm -o lstm.svg",
    "cellwright figure my.cell -o my.svg",
    "cellwright figure gru --view unrolled --size T=20 -o steps.svg",
    "cellwright figure lstm --view folded > layer.svg",
)
def figure(
    cell: CellName,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.svg",
            help="The file to write; printed if left out.",
        ),
    ] = None,
    view: Annotated[
        View,
        typer.Option(
            help="The wiring of the cell, or a layer of it: folded, or folded and step "
            "by step."
        ),
    ] = View.cell,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="A size of the layer, or T, the length of the sequence; without "
            "numbers the shapes are in letters.",
        ),
    ] = None,
) -> None:
    """Draw a cell, or a layer of it folded and step by step, as SVG.

    The picture is made from the equations. It is one file without scripts or fonts,
    dark where the page is, light in print. A picture that is there is drawn anew; no
    other file is overwritten.
    """
    require_free(out, PICTURE, f"cellwright figure {quote(cell)} -o")
    text = _drawn(find(cell), view, size or [])
    if out is None:
        write_lines(text.splitlines())
    else:
        write_text(out, text)
        write_lines([f"Wrote {out}"])


def _drawn(cell: Cell, view: View, given: list[str]) -> str:
    if view is View.cell:
        if given:
            raise UsageError(
                f"--size {given[0]}: the wiring of a cell is the same for all sizes\n"
                "  fix: leave it out, or ask for --view folded or --view unrolled"
            )
        return cell_figure(cell)
    numbers = pairs("--size", given)
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise UsageError(
                f"--size {name}={value}: a size is a whole number from 1 on"
            )
    sizes = {name: int(value) for name, value in numbers.items()}
    own = {row.name for row in cell.graph.sizes}
    steps = None if LENGTH in own else sizes.pop(LENGTH, None)
    layer = layer_box(cell, sizes)
    return network_figure([layer], steps, unroll=view is View.unrolled)
