"""``cellwright cells``: the library at a glance."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from cellwright.cells import load, names
from cellwright.explain.facts import brief

from .arguments import AsJson, examples
from .output import width, write_json, write_lines

HEADINGS = ("name", "year", "class", "states", "parameters")
LEAST_TITLE = 40
"""A title narrower than this stands below its row, not beside it."""


@examples(
    "cellwright cells",
    "cellwright cells --json",
)
def cells(as_json: AsJson = False) -> None:
    """List the cells of the library.

    Each with the year of its paper, its class, its states, the number of its
    parameters (H = hidden_size, I = input_size) and its title.
    """
    rows = [brief(load(name)) for name in names()]
    if as_json:
        write_json(rows)
    else:
        write_lines(table(rows, width()))


def table(rows: Sequence[dict[str, Any]], columns: int) -> Iterator[Text]:
    """Yield the lines of the list, titles beside the rows or below them."""
    shown = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(word.ljust(size) for word, size in zip(row, widths, strict=True))
        for row in shown
    ]
    room = columns - len(lines[0]) - 2
    beside = room >= LEAST_TITLE
    heading = lines[0] + "  title" if beside else lines[0].rstrip()
    yield Text(heading, "bold")
    for line, row in zip(lines[1:], rows, strict=True):
        titles = textwrap.wrap(row["title"], room if beside else columns - 4)
        name = len(row["name"])
        text = Text(line)
        text.stylize("bold", 0, name)
        if beside:
            yield text.append("  " + titles[0], "dim")
        else:
            text.rstrip()
            yield text
        indent = len(line) + 2 if beside else 4
        for title in titles[1:] if beside else titles:
            yield Text(" " * indent).append(title, "dim")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    year = "" if row["year"] is None else str(row["year"])
    states = ", ".join(row["states"])
    return row["name"], year, row["class"], states, row["parameters"]["formula"]
