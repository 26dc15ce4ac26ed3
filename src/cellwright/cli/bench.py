"""``cellwright bench``: how fast the layers are, beside their peers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import cellwright.bench as benchmarks

from .arguments import AsJson, complete_cell, examples, pairs
from .output import message, width, write_json, write_lines


@examples(
    "cellwright bench my.cell",
    "cellwright bench --case lstm --quick",
    "cellwright bench --out benchmarks",
)
def bench(
    cells: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CELL",
            help="Cells of your own, or of the library, by name or file.",
            autocompletion=complete_cell,
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A case with its peers, such as lstm; repeatable.",
            show_default="all, where no cell is named",
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=NUMBER",
            help="A size or constant of your cells; repeatable.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few shapes and turns: a first look.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The result folder.")] = Path("runs/bench"),
    threads: Annotated[
        int | None,
        typer.Option(help="Of all contenders.", show_default="torch's own choice"),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Measure though others are at work.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time layers beside their peers, each checked for right numbers first.

    A cell of yours is timed beside our LSTM, per multiply-add, and beside the
    reference, which runs the same equations by torch's operations, one by one. Without
    a cell it is the whole comparison with torch.nn, loops, ONNX Runtime and JAX, which
    takes an hour. Ctrl-C leaves what is measured, and the same command goes on behind
    it.
    """
    options = pairs("--set", given or ())
    plan = benchmarks.plan(cells or (), case or (), quick=quick, options=options)
    try:
        with benchmarks.reporting() as report:
            results = benchmarks.bench(
                plan, out, threads=threads, anyway=anyway, report=report
            )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"Interrupted; what is measured is kept in {out}, and the same command "
            "goes on behind it."
        ) from stop
    names = benchmarks.write(results, out)
    if as_json:
        write_json(results)
    else:
        write_lines(benchmarks.lines(results, width()))
    message(f"In {out}: {', '.join(names)}")
