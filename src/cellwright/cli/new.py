"""``cellwright new``: a cell of one's own, begun from one that is there."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cellwright.cells import find
from cellwright.language.cell import Cell

from .arguments import UsageError, complete_cell, examples
from .files import require_folder
from .output import write_lines


@examples(
    "cellwright new my.cell --from lstm",
    "cellwright new slow.cell --from my.cell",
)
def new(
    file: Annotated[Path, typer.Argument(help="The file to write, NAME.cell.")],
    base: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="CELL",
            help="The cell to begin from: of the library, or a .cell file.",
            autocompletion=complete_cell,
        ),
    ],
) -> None:
    """Write a cell file to change, begun from a cell that is there.

    The file holds every equation, also those that the cell takes from others. Nothing
    is overwritten.
    """
    if file.suffix != ".cell":
        raise UsageError(
            f"{file}: the name of a cell file ends in .cell\n"
            f"  fix: cellwright new {file.with_suffix('.cell')} --from {base}"
        )
    text = begun_from(find(base), file.stem)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{file}: is there already, and nothing is overwritten\n"
            "  fix: choose another name, or remove it"
        ) from error
    except FileNotFoundError as error:
        require_folder(file)
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
    written, begun, run = map(quote, (str(file), base, f"runs/{file.stem}"))
    write_lines(
        [
            f"Wrote {file}, from {base}. Change any line, then:",
            f"  cellwright show {written}",
            f"  cellwright diff {begun} {written}",
            f"  cellwright train sunspots --cell {written} --out {run}",
        ]
    )


def begun_from(cell: Cell, name: str) -> str:
    """Return the text of a new cell, whose title says what it was made from.

    Args:
        cell: the cell to begin from.
        name: what the new one is called.
    """
    title, line_break, rest = cell.flat_text.partition("\n")
    if not title.startswith("#"):
        return f"# {name}, made from {cell.name}.\n\n{cell.flat_text}"
    return f"# {name}, made from {cell.name}: {cell.title}{line_break}{rest}"
