"""The options of ``cellwright explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A cell's name; a .cell file; file.py:NAME, a module, its class or a "
        "function that makes it (the file is imported); a .keras file; or a line of "
        "layers in PyTorch's or Keras' words.",
    ),
]
Input = Annotated[
    str | None,
    typer.Option(
        metavar="SIZES",
        help="An example input, batch included, such as 32,20,1; tokens are "
        "32,20:long.",
    ),
]
Size = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="A size of a cell; repeatable."),
]
Budget = Annotated[
    int | None,
    typer.Option(min=1, help="Most parameters; status 1 where there are more."),
]
Examples = Annotated[
    int | None,
    typer.Option(
        metavar="COUNT",
        min=1,
        help="How many examples it is trained on; tells what rules of thumb say of the "
        "number of hidden units.",
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.html",
        help="Write a page in which every unit can be opened, at every step.",
    ),
]
Svg = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.svg",
        help="Draw the network, its recurrent layers folded and step by step.",
    ),
]
Measure = Annotated[
    bool,
    typer.Option(
        "--measure",
        help="Run it and measure: how what each layer gives is spread, units that stay "
        "alike, and of recurrent layers states, one step at a time beside all at once, "
        "and how far back they learn.",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="STEPS",
        min=1,
        help="Measure how far back it learns in calls of so many steps, each with the "
        "states of the one before and without their graph.",
    ),
]
Rate = Annotated[
    list[float] | None,
    typer.Option(
        metavar="NUMBER",
        help="Take one step of gradient descent at this rate, towards numbers by "
        "chance; repeatable.",
    ),
]
Unit = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="Work out this unit of each linear layer, number by number.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        min=0,
        max=2**63 - 1,
        help="Of the first weights of a network that is made here.",
    ),
]
