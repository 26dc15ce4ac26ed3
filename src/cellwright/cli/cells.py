"""``cellwright cells``: the library, or a folder of cells, at a glance."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from rich.text import Text

from cellwright.cells import files, find, load, names
from cellwright.explain.cell_facts import brief
from cellwright.explain.families import by_family
from cellwright.language.cell import Cell
from cellwright.language.report import CellError

from .arguments import AsJson, examples
from .faults import BAD_INPUT
from .output import message, width, write_json, write_lines

HEADINGS = ("name", "year", "class", "states", "parameters")
WIDEST = 22
"""What is wider does not widen its column, but the row that it stands in."""
LEAST_TITLE = 40
"""A title narrower than this stands below its row, not beside it."""


@examples(
    "cellwright cells",
    "cellwright cells .",
    "cellwright cells --json",
)
def cells(
    folder: Annotated[
        Path | None,
        typer.Argument(help="List the .cell files of this folder, not the library."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the cells of the library by family, or those of a folder.

    Each with the year of its paper, its class, its states, the number of its
    parameters (H = hidden_size, I = input_size) and its title. A file that is no cell
    is told after the list, and the status is 2.
    """
    found = _library() if folder is None else _folder(folder)
    if as_json:
        write_json([*(_row(word, cell) for word, cell in found.cells), *found.faults])
    else:
        write_lines(table(found.cells, width()))
        for fault in found.faults:
            count, file = len(fault["faults"]), quote(fault["name"])
            what = f"{fault['name']}: no cell, but {count} fault{'s' * (count > 1)}"
            message(f"{what}\n  to see: cellwright show {file}")
    if found.faults:
        raise typer.Exit(BAD_INPUT)


@dataclass(frozen=True, slots=True)
class _Found:
    """Cells, each with the word that names it to a command, and what is no cell."""

    cells: Sequence[tuple[str, Cell]]
    faults: Sequence[dict[str, Any]] = ()


def _library() -> _Found:
    return _Found([(name, load(name)) for name in names()])


def _folder(folder: Path) -> _Found:
    found: list[tuple[str, Cell]] = []
    faults: list[dict[str, Any]] = []
    for path in files(folder):
        try:
            found.append((str(path), find(path)))
        except CellError as error:
            faults.append({"name": str(path), **error.to_json()})
    return _Found(found, faults)


def _row(word: str, cell: Cell) -> dict[str, Any]:
    return {**brief(cell), "name": word}


def table(cells: Sequence[tuple[str, Cell]], columns: int) -> Iterator[Text]:
    """Yield the lines of the list: a heading, and each family below its name."""
    words = {id(cell): word for word, cell in cells}
    families = by_family(cell for _, cell in cells)
    rows = {
        family: [_row(words[id(cell)], cell) for cell in members]
        for family, members in families.items()
    }
    shown = [HEADINGS, *(_cells(row) for group in rows.values() for row in group)]
    names, *rest = zip(*shown, strict=True)
    widths = [max(map(len, names))]
    widths += [max(len(w) for w in column if len(w) <= WIDEST) for column in rest]
    heading = _line(HEADINGS, widths)
    beside = columns - len(heading) - 2 >= LEAST_TITLE
    yield Text(f"{heading}  title" if beside else heading.rstrip(), "bold")
    for family, group in rows.items():
        yield Text()
        yield Text(family, "bold cyan")
        for row in group:
            yield from _lines(row, widths, beside, columns)


def _lines(
    row: dict[str, Any], widths: Sequence[int], beside: bool, columns: int
) -> Iterator[Text]:
    """Yield a cell's row; its title stands beside it where both have room."""
    words = _cells(row)
    line = _line(words, widths)
    beside = beside and len(line) == len(_line(HEADINGS, widths))
    below: list[str] = []
    if len(line) > columns:  # The last column, of parameters, does not fit.
        line = _line(words[:-1], widths[:-1])
        below += textwrap.wrap(words[-1], columns - 4)
    room = columns - len(line) - 2 if beside else columns - 4
    titles = textwrap.wrap(row["title"], room) or [""]
    text = Text(line if beside else line.rstrip())
    text.stylize("bold", 0, len(row["name"]))
    yield text.append("  " + titles.pop(0), "dim") if beside else text
    for more in below:
        yield Text("    " + more)
    indent = " " * (len(line) + 2 if beside else 4)
    for title in titles:
        yield Text(indent).append(title, "dim")


def _line(words: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(word.ljust(n) for word, n in zip(words, widths, strict=True))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    year = "" if row["year"] is None else str(row["year"])
    states = ", ".join(row["states"])
    return row["name"], year, row["class"], states, row["parameters"]["formula"]
