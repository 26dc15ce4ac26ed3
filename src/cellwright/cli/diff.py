"""``cellwright diff``: what changes from one cell to another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from cellwright.cells import find
from cellwright.explain.counts import formula
from cellwright.explain.difference import Difference, difference
from cellwright.explain.unified import unified

from .arguments import AsJson, CellName, examples
from .faults import NO
from .output import width, write_json, write_lines


@examples(
    "cellwright diff lstm peephole_lstm",
    "cellwright diff lstm my.cell",
    "cellwright diff gru lstm --json",
)
def diff(one: CellName, other: CellName, as_json: AsJson = False) -> None:
    """Compare two cells: equations, declarations and parameters.

    Ends with status 0 when both say the same, with 1 when they differ. Titles, comments
    and spaces do not count; what a cell takes from others does.
    """
    cells = find(one), find(other)
    found = difference(*cells)
    if as_json:
        write_json(_plain(found))
    else:
        write_lines(unified(*cells, found, width()))
    raise typer.Exit(0 if found.equal else NO)


def _plain(found: Difference) -> dict[str, Any]:
    data = asdict(found)
    data["counts"] = [formula(count) for count in found.counts]
    return data
