"""``cellwright show``: what a cell says, for people, for us, for a paper."""

from __future__ import annotations

import textwrap
from enum import Enum
from typing import Annotated

import typer

from cellwright.backends.c.levels import best_level
from cellwright.backends.c.source import configuration
from cellwright.cells import find
from cellwright.compiler.plan import pipeline, source
from cellwright.explain import (
    bibtex,
    cell_entries,
    count_at,
    equations_view,
    facts_of_cell,
    latex,
)
from cellwright.ir.graph import Graph
from cellwright.ir.text import print_graph
from cellwright.language.cell import Cell
from cellwright.passes.words import describe_passes, describe_schedule

from .arguments import AsJson, CellName, UsageError, examples, pairs
from .output import width, write_json, write_lines


class Stage(str, Enum):
    """How far a cell is followed, and for whom."""

    equations = "equations"
    graph = "graph"
    passes = "passes"
    schedule = "schedule"
    c = "c"
    latex = "latex"


@examples(
    "cellwright show lstm",
    "cellwright show my.cell",
    "cellwright show lstm --size input_size=1 --size hidden_size=300",
    "cellwright show gru --stage latex > gru.tex",
    "cellwright show gru --cite > references.bib",
    "cellwright show gru --stage graph",
    "cellwright show gru --stage schedule",
    "cellwright show lstm --json",
)
def show(
    cell: CellName,
    stage: Annotated[
        Stage,
        typer.Option(
            help="Equations to read, LaTeX for a paper; or how it is computed: the "
            "graph, its formulas and gradients after the passes, the schedule of both, "
            "the C of both."
        ),
    ] = Stage.equations,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="A size or count; with sizes the parameters are counted too.",
        ),
    ] = None,
    cite: Annotated[
        bool,
        typer.Option(
            "--cite", help="BibTeX of what the cell and those it extends cite."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a cell says, or what is wrong with it.

    What it says: equations, shapes, class, number of parameters. What is wrong: every
    fault of the file, with its place and the likely fix.
    """
    found = find(cell)
    graph, sizes = _sized(found, size or [])
    if cite:
        _require_alone(stage)
        text = bibtex(cell_entries(found))
        if as_json:
            write_json({"name": found.name, "bibtex": text})
        else:
            write_lines(text.splitlines())
    elif stage is not Stage.equations:
        text = _text(stage, found, graph)
        if as_json:
            write_json({"name": found.name, stage.value: text})
        elif stage in (Stage.passes, Stage.schedule):
            write_lines(_wrapped(text))
        else:
            write_lines(text.splitlines())
    elif as_json:
        data = facts_of_cell(found)
        if sizes:
            data["parameters"]["at"] = {**sizes, "count": count_at(graph, sizes)}
        write_json(data)
    else:
        write_lines(equations_view(found, width(), graph, sizes))


def _require_alone(stage: Stage) -> None:
    if stage is not Stage.equations:
        raise UsageError(
            f"--cite: is asked for alone; found --stage {stage.value}\n"
            "  fix: call show twice; the LaTeX cites by the keys of --cite"
        )


def _text(stage: Stage, cell: Cell, graph: Graph) -> str:
    match stage:
        case Stage.passes:
            return describe_passes(pipeline(graph))
        case Stage.schedule:
            return describe_schedule(pipeline(graph))
        case Stage.c:
            return _c(graph)
        case Stage.latex:
            return latex(cell)
        case _:
            return print_graph(graph)


def _c(graph: Graph) -> str:
    """Return what is written for a cell alone; the rest of a kernel is the same."""
    level = best_level()
    found = pipeline(graph)
    texts: list[str] = []
    for direction, step in (("forward", found.forward), ("backward", found.backward)):
        assert step is not None
        own = source(graph, step, direction)
        registers = (level.vector_bytes, level.accumulators)
        head = configuration(False, *registers, own.widths)
        texts += [
            f"/* {direction}, {level.name}, float32 */",
            head,
            own.slots,
            own.step,
        ]
    return "\n".join(texts)


def _wrapped(text: str) -> list[str]:
    """Return lines that are no wider than the terminal, where they can be broken."""
    lines: list[str] = []
    for line in text.splitlines():
        inner = " " * (len(line) - len(line.lstrip()) + 4)
        lines += textwrap.wrap(
            line,
            width(),
            subsequent_indent=inner,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines


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
