"""``cellwright train``: a forecaster for a series, measured beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

import cellwright.train as training
from cellwright.train.lock import LOCK
from cellwright.train.run import SUNSPOTS

from .arguments import AsJson, complete_cell, examples, pairs
from .output import write, write_json, write_lines

DEFAULTS = training.Settings()
SETTINGS = tuple(entry.name for entry in fields(training.Settings))
"""The arguments of both training commands that are attributes of the settings."""

train = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

History = Annotated[int, typer.Option(help="Rows that the forecaster sees.")]
Horizon = Annotated[int, typer.Option(help="Rows that it forecasts.")]
CellOption = Annotated[
    str,
    typer.Option(
        metavar="CELL",
        help="The recurrent cell: of the library, or the path of a .cell file.",
        autocompletion=complete_cell,
    ),
]
CellOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=NUMBER",
        help="A size or constant of the cell; repeatable.",
    ),
]
HiddenSize = Annotated[int, typer.Option(help="Units of each layer.")]
NumLayers = Annotated[int, typer.Option(help="Recurrent layers.")]
Change = Annotated[
    bool,
    typer.Option(
        "--change/--values",
        help="Say the change from the last known value, which suits a series that "
        "rises or falls for long; or say the values.",
    ),
]
Dropout = Annotated[
    float, typer.Option(help="Dropout between layers and before the linear one.")
]
Epochs = Annotated[int, typer.Option(help="At most so many passes over the data.")]
Patience = Annotated[
    int | None,
    typer.Option(help="Stop after so many epochs that bring nothing better."),
]
Restarts = Annotated[
    int, typer.Option(help="Begin again so often, with weights drawn anew.")
]
Optimiser = Annotated[str, typer.Option(help="adam, adamw, sgd or rmsprop.")]
Momentum = Annotated[float, typer.Option(help="Of sgd and rmsprop.")]
WeightDecay = Annotated[float, typer.Option(help="Of the optimiser.")]
Schedule = Annotated[
    str,
    typer.Option(
        help="Of the learning rate: constant, linear, cosine or 'warm restarts'."
    ),
]
Warmup = Annotated[int, typer.Option(help="Steps in which the learning rate rises.")]
Noise = Annotated[
    float, typer.Option(help="Standard deviation of what is added to the input.")
]
Accumulate = Annotated[int, typer.Option(help="Batches of one step of the weights.")]
BatchSize = Annotated[int, typer.Option(help="Windows in one step.")]
LearningRate = Annotated[float, typer.Option(help="Learning rate of the optimiser.")]
Clip = Annotated[float, typer.Option(help="The largest norm of the gradient.")]
Average = Annotated[
    float, typer.Option(help="How much of the average of the weights each step keeps.")
]
Season = Annotated[
    int | None,
    typer.Option(
        help="Rows of one season, for a baseline.", show_default="found in the data"
    ),
]
Seed = Annotated[int, typer.Option(help="Start of all random numbers.")]
Out = Annotated[
    Path | None, typer.Option(help="The result folder.", show_default="runs/NAME")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the run in the result folder, or show its result."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


@train.callback()
@examples(
    "cellwright train sunspots",
    "cellwright train series load.csv --column y",
)
def group() -> None:
    """Train a forecaster and measure it beside the simple baselines."""


@train.command()
@examples(
    "cellwright train series load.csv --column y",
    "cellwright train series load.csv --column y --inputs temperature,wind",
    "cellwright train series load.csv --column y --cell gru --hidden-size 64",
    "cellwright train series load.csv --column y --out runs/load --resume",
)
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
    history: History = DEFAULTS.history,
    horizon: Horizon = DEFAULTS.horizon,
    cell: CellOption = DEFAULTS.cell.name,
    cell_options: CellOptions = None,
    hidden_size: HiddenSize = DEFAULTS.hidden_size,
    num_layers: NumLayers = DEFAULTS.num_layers,
    change: Change = DEFAULTS.change,
    dropout: Dropout = DEFAULTS.dropout,
    epochs: Epochs = DEFAULTS.epochs,
    patience: Patience = DEFAULTS.patience,
    restarts: Restarts = DEFAULTS.restarts,
    batch_size: BatchSize = DEFAULTS.batch_size,
    optimiser: Optimiser = DEFAULTS.optimiser,
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    momentum: Momentum = DEFAULTS.momentum,
    weight_decay: WeightDecay = DEFAULTS.weight_decay,
    schedule: Schedule = DEFAULTS.schedule,
    warmup: Warmup = DEFAULTS.warmup,
    noise: Noise = DEFAULTS.noise,
    accumulate: Accumulate = DEFAULTS.accumulate,
    clip: Clip = DEFAULTS.clip,
    average: Average = DEFAULTS.average,
    season: Season = None,
    seed: Seed = DEFAULTS.seed,
    out: Out = None,
    resume: Resume = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a forecaster on the series in a CSV file.

    The first 70 % of the rows are learned from, the next 10 % decide, and the last 20 %
    are measured once, at the end. Ctrl-C leaves a run that --resume goes on with.
    """
    settings = _settings(locals())
    names = [name.strip() for name in inputs.split(",") if name.strip()]
    run = training.series(
        file, column, names, out=out, resume=resume, progress=not quiet, **settings
    )
    _report(run, as_json)


@train.command()
@examples(
    "cellwright train sunspots",
    "cellwright train sunspots --cell gru --seed 1 --out runs/gru",
    "cellwright train sunspots --out runs/demo --resume",
)
def sunspots(
    history: History = DEFAULTS.history,
    horizon: Horizon = DEFAULTS.horizon,
    cell: CellOption = DEFAULTS.cell.name,
    cell_options: CellOptions = None,
    hidden_size: HiddenSize = DEFAULTS.hidden_size,
    num_layers: NumLayers = DEFAULTS.num_layers,
    change: Change = SUNSPOTS["change"],
    dropout: Dropout = DEFAULTS.dropout,
    epochs: Epochs = DEFAULTS.epochs,
    patience: Patience = DEFAULTS.patience,
    restarts: Restarts = DEFAULTS.restarts,
    batch_size: BatchSize = DEFAULTS.batch_size,
    optimiser: Optimiser = DEFAULTS.optimiser,
    learning_rate: LearningRate = DEFAULTS.learning_rate,
    momentum: Momentum = DEFAULTS.momentum,
    weight_decay: WeightDecay = DEFAULTS.weight_decay,
    schedule: Schedule = DEFAULTS.schedule,
    warmup: Warmup = DEFAULTS.warmup,
    noise: Noise = DEFAULTS.noise,
    accumulate: Accumulate = DEFAULTS.accumulate,
    clip: Clip = DEFAULTS.clip,
    average: Average = DEFAULTS.average,
    season: Season = None,
    seed: Seed = DEFAULTS.seed,
    out: Out = None,
    resume: Resume = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a forecaster on 235 years of sunspots, shipped with cellwright."""
    settings = _settings(locals())
    run = training.sunspots(out=out, resume=resume, progress=not quiet, **settings)
    _report(run, as_json)


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among a command's arguments."""
    settings = {name: given[name] for name in SETTINGS}
    settings["cell_options"] = pairs("--set", given["cell_options"] or ())
    return settings


def _report(run: training.Run, as_json: bool) -> None:
    if as_json:
        write_json({"folder": str(run.folder), **run.metrics})
        return
    write(training.summary(run))
    files = sorted(
        path.name
        for path in run.folder.iterdir()
        if path.is_file() and path.name != LOCK
    )
    write_lines(
        [
            f"In {run.folder}: {', '.join(files)}",
            f"Next: cellwright predict {run.folder} -o forecast.csv",
        ]
    )
