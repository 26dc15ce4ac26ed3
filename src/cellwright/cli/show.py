"""``cellwright show``: what a cell says, for people, for us, for a paper."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from cellwright.cells import find
from cellwright.explain import count_at, equations_view, facts, latex
from cellwright.ir.graph import Graph
from cellwright.ir.text import print_graph
from cellwright.language.cell import Cell

from .arguments import AsJson, CellName, UsageError, examples, pairs
from .output import width, write_json, write_lines


class Stage(str, Enum):
    """How far a cell is followed, and for whom."""

    equations = "equations"
    graph = "graph"
    latex = "latex"


@examples(
    "cellwright show lstm",
    "cellwright show my.cell",
    "cellwright show lstm --size input_size=1 --size hidden_size=300",
    "cellwright show gru --stage latex > gru.tex",
    "cellwright show gru --stage graph",
    "cellwright show lstm --json",
)
def show(
    cell: CellName,
    stage: Annotated[
        Stage, typer.Option(help="Equations to read, the graph, or LaTeX for a paper.")
    ] = Stage.equations,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="A size or count; with sizes the parameters are counted too.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a cell says, or what is wrong with it.

    What it says: equations, shapes, class, number of parameters. What is wrong: every
    fault of the file, with its place and the likely fix.
    """
    found = find(cell)
    graph, sizes = _sized(found, size or [])
    match stage:
        case Stage.graph:
            text = print_graph(graph)
            data = {"name": found.name, "graph": text}
        case Stage.latex:
            text = latex(found)
            data = {"name": found.name, "latex": text}
        case Stage.equations:
            text = ""
            data = facts(found)
            if sizes:
                data["parameters"]["at"] = {**sizes, "count": count_at(graph, sizes)}
    if as_json:
        write_json(data)
    elif stage is Stage.equations:
        write_lines(equations_view(found, width(), graph, sizes))
    else:
        write_lines(text.splitlines())


def _sized(cell: Cell, given: list[str]) -> tuple[Graph, dict[str, int]]:
    """Return the cell's graph with the given counts, and the given sizes."""
    known = {name for name, _ in cell.graph.counts}
    counts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for name, value in pairs("--size", given).items():
        if not isinstance(value, int):
            raise UsageError(f"--size {name}={value}: a size is a whole number")
        (counts if name in known else sizes)[name] = value
    return cell.specialise(counts=counts), sizes
