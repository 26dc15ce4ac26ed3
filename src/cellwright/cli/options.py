"""The settings of the training commands, as options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

import cellwright.train as training

from .arguments import AsJson, complete_cell, pairs


def _option(kind: Any, text: str, **more: Any) -> Any:
    return Annotated[kind, typer.Option(help=text, **more)]


OPTIONS: dict[str, Any] = {
    "variant": _option(str, "mean, 1997 or sum."),
    "period": _option(int, "From one 1 to the next."),
    "steps": _option(int, "Steps of a sequence."),
    "start": _option(str, "Where a sequence begins: any, or one (at a 1)."),
    "history": _option(int, "Rows that the forecaster sees."),
    "horizon": _option(int, "Rows that it forecasts."),
    "cell": Annotated[
        str,
        typer.Option(
            metavar="CELL",
            help="The recurrent cell: of the library, or the path of a .cell file.",
            autocompletion=complete_cell,
        ),
    ],
    "cell_options": Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=NUMBER",
            help="A size or constant of the cell; repeatable.",
        ),
    ],
    "hidden_size": _option(int, "Units of each layer."),
    "num_layers": _option(int, "Recurrent layers."),
    "forget_bias": _option(
        float | None, "First value of the forget gate's bias, if there is such a gate."
    ),
    "change": Annotated[
        bool,
        typer.Option(
            "--change/--values",
            help="Say the change from the last known value, which suits a series that "
            "rises or falls for long; or say the values.",
        ),
    ],
    "dropout": _option(float, "Dropout between layers and before the linear one."),
    "epochs": _option(int, "At most so many passes over the data."),
    "patience": _option(
        int | None, "Stop after so many epochs that bring nothing better."
    ),
    "restarts": _option(int, "Begin again so often, with weights drawn anew."),
    "batch_size": _option(int, "Windows or sequences in one step."),
    "optimiser": _option(str, "adam, adamw, sgd or rmsprop."),
    "learning_rate": _option(float, "Learning rate of the optimiser."),
    "momentum": _option(float, "Of sgd and rmsprop."),
    "weight_decay": _option(float, "Of the optimiser."),
    "schedule": _option(
        str, "Of the learning rate: constant, linear, cosine or 'warm restarts'."
    ),
    "warmup": _option(int, "Steps in which the learning rate rises."),
    "noise": _option(float, "Standard deviation of what is added to the input."),
    "accumulate": _option(int, "Batches of one step of the weights."),
    "clip": _option(float, "The largest norm of the gradient."),
    "average": _option(
        float, "How much of the average of the weights each step keeps."
    ),
    "season": Annotated[
        int | None,
        typer.Option(
            help="Rows of one season, for a baseline.", show_default="found in the data"
        ),
    ],
    "seed": _option(int, "Start of all random numbers."),
}
"""By the names of the settings, in the order in which help shows them."""

PLACE: dict[str, tuple[Any, Any]] = {
    "out": (
        Annotated[
            Path | None,
            typer.Option(help="The result folder.", show_default="runs/NAME"),
        ],
        None,
    ),
    "resume": (
        Annotated[
            bool,
            typer.Option(
                "--resume",
                help="Go on with the run in the result folder, or show its result.",
            ),
        ],
        False,
    ),
    "tensorboard": (
        Annotated[
            bool,
            typer.Option(
                "--tensorboard", help="Write losses for TensorBoard, in the folder."
            ),
        ],
        False,
    ),
    "quiet": (
        Annotated[bool, typer.Option("--quiet", help="Show no progress.")],
        False,
    ),
}
"""Where a run lies and how it is shown, and the defaults of that."""


def takes(
    kind: type[training.Recipe], *left: str, **other: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every setting of a kind as an option.

    The command is called with its own arguments, with ``as_json``, and with
    ``options``: the settings, and the arguments of the training functions beside them.

    Args:
        kind: The settings, with their defaults.
        left: Settings that the command has arguments of its own for.
        other: Defaults that are not those of the settings.
    """
    plain = kind()
    names = {entry.name for entry in fields(kind)} - set(left)
    defaults = {name: getattr(plain, name) for name in OPTIONS if name in names}
    defaults |= {"cell": "lstm", "cell_options": None, **other}
    options = {name: (OPTIONS[name], value) for name, value in defaults.items()}
    added = {**options, **PLACE, "as_json": (AsJson, False)}

    def give(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in (*options, *PLACE)}
            chosen["cell_options"] = pairs("--set", chosen["cell_options"] or ())
            chosen["progress"] = not chosen.pop("quiet")
            command(**given, options=chosen)

        signature = inspect.signature(command, eval_str=True)
        own = [p for n, p in signature.parameters.items() if n not in HANDED]
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=text
            )
            for name, (text, value) in added.items()
        ]
        vars(run)["__signature__"] = inspect.Signature([*own, *more])
        return run

    return give


HANDED = ("options", "as_json")
"""Arguments of a command that are no options of its own."""
