"""``cellwright train``: forecasters for series, and tasks that need memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import cellwright.train as training
from cellwright.train.calls import SIZES, SUNSPOTS, UNITS
from cellwright.train.lock import LOCK

from .arguments import UsageError, examples
from .options import takes
from .output import leads, write, write_json, write_lines

train = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@train.callback()
@examples(
    "cellwright train sunspots",
    "cellwright train series load.csv --column y",
    "cellwright train adding",
    "cellwright train periodic",
)
def group() -> None:
    """Train a network, and measure it beside the simplest answers.

    Several processes share the work under torchrun:
    torchrun --nproc-per-node 2 -m cellwright train ...
    """


@train.command()
@examples(
    "cellwright train series load.csv --column y",
    "cellwright train series load.csv --column y --inputs temperature,wind",
    "cellwright train series load.csv --column y --cell gru --hidden-size 64",
    "cellwright train series load.csv --column y --out runs/load --resume",
)
@takes(training.Settings)
def series(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="A header row, then the data.")
    ],
    column: Annotated[
        str | None,
        typer.Option(
            help="The column to forecast.", show_default="the only numeric one"
        ),
    ] = None,
    inputs: Annotated[
        str, typer.Option(metavar="A,B", help="Further columns that are seen.")
    ] = "",
    *,
    options: dict[str, Any],
    as_json: bool,
) -> None:
    """Train a forecaster on the series in a CSV file.

    The first 70 % of the rows are learned from, the next 10 % decide, and the last 20 %
    are measured once, at the end. Ctrl-C leaves a run that --resume goes on with.
    """
    names = [name.strip() for name in inputs.split(",") if name.strip()]
    run = training.series(file, column, names, **options)
    _report(run, as_json, f"Next: cellwright predict {run.folder} -o forecast.csv")


@train.command()
@examples(
    "cellwright train sunspots",
    "cellwright train sunspots --cell gru --seed 1 --out runs/gru",
    "cellwright train sunspots --out runs/demo --resume",
)
@takes(training.Settings, **SUNSPOTS)
def sunspots(*, options: dict[str, Any], as_json: bool) -> None:
    """Train a forecaster on 235 years of sunspots, shipped with cellwright."""
    run = training.sunspots(**options)
    _report(run, as_json, f"Next: cellwright predict {run.folder} -o forecast.csv")


@train.command()
@examples(
    "cellwright train adding",
    "cellwright train adding --variant 1997 --seed 1",
    "cellwright train adding --steps 30 --cell gru --out runs/gru",
)
@takes(training.AddingSettings)
def adding(*, options: dict[str, Any], as_json: bool) -> None:
    """Train a network to add two marked numbers of a long sequence.

    At each step it sees a value and a mark; at the end it says the mean (or the sum) of
    the two marked values. It ends when the last 2,000 answers were right, the rule of
    1997, or after the last epoch: 100 batches each, of sequences that never come again.
    """
    run = training.adding(**options)
    _report(run, as_json, f"Next: cellwright.load({str(run.folder)!r}) in Python")


@train.command()
@examples(
    "cellwright train periodic",
    "cellwright train periodic --units 1,2 --period 7",
    "cellwright train periodic --cell elman --out runs/elman",
)
@takes(training.PeriodicSettings, "hidden_size")
def periodic(
    units: Annotated[
        str, typer.Option(metavar="A,B", help="Units, a network for each number.")
    ] = ",".join(map(str, UNITS)),
    *,
    options: dict[str, Any],
    as_json: bool,
) -> None:
    """Train networks of several sizes to go on with 1 0 0 0 1 0 0 0 ...

    After a 0 the symbol itself does not tell what comes: zeros must be counted. Each
    network then hears only itself for 1,000 steps.
    """
    sizes = [_size(size) for size in units.split(",")]
    runs = training.periodic(sizes, **options)
    folder = runs[0].folder
    _report(
        runs,
        as_json,
        f"In {folder.parent}: {SIZES}",
        f"Next: cellwright.load({str(folder)!r}) in Python",
    )


def _size(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit()):
        raise UsageError(
            f"--units: takes whole numbers; found {text!r}\n  fix: --units 1,2,3,50"
        )
    if not int(text):
        raise UsageError("--units: a network has at least one unit; found 0")
    return int(text)


def _report(
    done: training.Run | Sequence[training.Run], as_json: bool, *following: str
) -> None:
    if not leads():
        return
    runs = [done] if isinstance(done, training.Run) else done
    if as_json:
        found = [{"folder": str(run.folder), **run.metrics} for run in runs]
        write_json(found[0] if isinstance(done, training.Run) else found)
        return
    write(training.summary(*runs))
    for run in runs:
        files = sorted(
            path.name
            for path in run.folder.iterdir()
            if path.is_file() and path.name != LOCK
        )
        write_lines([f"In {run.folder}: {', '.join(files)}"])
    write_lines(following)
