"""``cellwright figure``: a cell as a picture, for papers, slides and pages."""

from __future__ import annotations

import secrets
from enum import Enum
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cellwright.cells import find
from cellwright.explain import cell_figure, layer_box, network_figure
from cellwright.explain.figures.svg import MADE_BY
from cellwright.language.cell import Cell

from .arguments import CellName, UsageError, examples, pairs
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
    if out is not None:
        _require_free(out, cell)
    text = _drawn(find(cell), view, size or [])
    if out is None:
        write_lines(text.splitlines())
    else:
        _write(out, text)
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


def _require_free(out: Path, cell: str) -> None:
    """Refuse another kind of file, and to write over what is no picture of ours."""
    if out.suffix != ".svg":
        raise UsageError(
            f"{out}: the name of a picture ends in .svg\n"
            f"  fix: cellwright figure {quote(cell)} -o {quote(f'{out}.svg')}; "
            "without -o it is printed"
        )
    if out.is_file() and MADE_BY not in out.read_text("utf-8", errors="replace"):
        raise UsageError(
            f"{out}: is there already, and is no picture of an earlier figure; it is "
            "not overwritten\n  fix: choose another name with -o"
        )


def _write(out: Path, text: str) -> None:
    """Write a picture whole or not at all; its folder has to be there."""
    part = out.with_name(f".{out.name}.{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(text.encode("utf-8"))
        part.replace(out)
    except OSError as error:
        reason = error.strerror or str(error)
        fix = (
            "" if out.parent.is_dir() else f"\n  fix: mkdir -p {quote(str(out.parent))}"
        )
        raise UsageError(f"{out}: cannot be written: {reason}{fix}") from error
    finally:
        part.unlink(missing_ok=True)
