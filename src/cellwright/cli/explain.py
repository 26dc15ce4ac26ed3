"""``cellwright explain``: what is true of a network."""

from __future__ import annotations

from typing import Annotated

import torch
import typer

from cellwright.explain.summary import Summary, summary
from cellwright.explain.targets import read_input, read_target
from cellwright.explain.terminal import network_view

from .arguments import AsJson, examples, pairs
from .faults import NO
from .output import message, width, write, write_json


@examples(
    "cellwright explain 'nn.LSTM(1, 300)' --input 20,1,1",
    "cellwright explain 'Embedding(50000, 5); LSTM(3, return_sequences=True)'",
    "cellwright explain 'LSTM(300, input_shape=(20, 1)); Dense(20)'",
    "cellwright explain peephole_lstm --size hidden_size=8",
    "cellwright explain 'nn.LSTM(100, 200)' --budget 500000",
)
def explain(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A cell's name; a .cell file; file.py:NAME, a module, its class or a "
            "function that makes it (the file is imported); or a line of layers in "
            "PyTorch's or Keras' words.",
        ),
    ],
    input: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help="An example input, batch included, such as 32,20,1; tokens are "
            "32,20:long.",
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="A size of a cell; repeatable."),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(help="Most parameters; status 1 where there are more."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a network: shapes, states, gates, wiring, parameters, work.

    Every number is told with its arithmetic. With a budget the command ends with
    status 1 where the network is over it, and names the layers that cost most.
    """
    shape, dtype = (None, None) if input is None else read_input(input)
    width_in = shape[-1] if shape is not None and dtype is not torch.int64 else None
    found = read_target(target, width_in, pairs("--size", size or []))
    sizes = shape or found.example
    dtypes = None if dtype is None else [dtype]
    facts = summary(found.module, sizes, dtypes=dtypes, words=found.words)
    if as_json:
        write_json(facts.to_json())
    else:
        write(network_view(facts, width()))
    if budget is not None and facts.parameters > budget:
        message(_over(facts, budget))
        raise typer.Exit(NO)


def _over(facts: Summary, budget: int) -> str:
    most = sorted(facts.layers, key=lambda layer: -layer.counted)[:3]
    listed = ", ".join(
        f"{layer.path} {layer.kind} {layer.counted:,}".strip()
        for layer in most
        if layer.counted
    )
    over = facts.parameters - budget
    return f"{facts.parameters:,} parameters, {over:,} over {budget:,}; most: {listed}"
