"""``cellwright explain``: what is true of a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Annotated

import torch
import typer

from cellwright.explain import network_figure
from cellwright.explain.facts import Network
from cellwright.explain.layers.boxes import layer_boxes, made_in
from cellwright.explain.opened import Explained
from cellwright.explain.opened import explain as opened
from cellwright.explain.summary import Summary, summary
from cellwright.explain.targets import Target, example_of, read_input, read_target
from cellwright.explain.terminal import network_view

from .arguments import AsJson, UsageError, examples, pairs
from .faults import NO
from .files import PAGE, PICTURE, require_free, write_text
from .output import message, width, write, write_json, write_lines


@examples(
    "cellwright explain 'nn.LSTM(1, 300)' --input 20,1,1",
    "cellwright explain 'Embedding(50000, 5); LSTM(3, return_sequences=True)'",
    "cellwright explain 'LSTM(300, input_shape=(20, 1)); Dense(20)'",
    "cellwright explain peephole_lstm --size hidden_size=8",
    "cellwright explain 'nn.LSTM(100, 200)' --budget 500000",
    "cellwright explain 'nn.LSTM(2, 8)' --input 20,4,2 --html lstm.html",
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
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a page in which every unit can be opened, at every step.",
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.svg",
            help="Draw the recurrent layers, folded and step by step.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a network: shapes, states, gates, wiring, parameters, work.

    Every number is told with its arithmetic. With a budget the command ends with
    status 1 where the network is over it, and names the layers that cost most.
    """
    for out, kind in ((html, PAGE), (svg, PICTURE)):
        require_free(
            out, kind, f"cellwright explain {quote(target)} --{kind.ending[1:]}"
        )
    shape, dtype = (None, None) if input is None else read_input(input)
    width_in = shape[-1] if shape is not None and dtype is not torch.int64 else None
    found = read_target(target, width_in, pairs("--size", size or []))
    found = replace(found, example=shape or found.example)
    facts = _facts(found, dtype, html is not None)
    picture = "" if svg is None else _picture(found, facts)
    written = [*_written(html, facts), *_written(svg, picture)]
    if as_json:
        write_json(facts.to_json())
    elif written:
        write_lines(written)
    else:
        write(network_view(facts, width()))
    _keep_within(budget, facts)


def _facts(target: Target, dtype: torch.dtype | None, inside: bool) -> Summary:
    """Return the facts of a network, with what is inside of it where that is shown."""
    if not inside:
        dtypes = None if dtype is None else [dtype]
        return summary(target.module, target.example, dtypes=dtypes, words=target.words)
    if target.example is None:
        raise UsageError(
            f"{target.words}: a page shows what the network does with an input; found "
            "none\n  fix: --input 20,1,3, batch and steps as the network takes them"
        )
    x = example_of(target.module, target.example, dtype or torch.float32)
    return opened(target.module, x, words=target.words)


def _picture(target: Target, facts: Network) -> str:
    made = made_in(target.module)
    layers = [box for each in made.values() for box in layer_boxes(each)]
    if not layers:
        raise UsageError(
            f"{target.words}: the picture is of recurrent layers; found none\n"
            "  fix: leave --svg out, or ask for --html"
        )
    seen = [layer.recurrence for layer in facts.layers if layer.recurrence]
    return network_figure(layers, seen[0].steps if seen else None)


def _written(out: Path | None, what: Summary | str) -> Iterator[str]:
    """Write a page or a picture; yield what to say of it."""
    if out is None:
        return
    if isinstance(what, str):
        write_text(out, what)
        yield f"Wrote {out}"
    elif isinstance(what, Explained):
        write_text(out, what.html())
        yield f"Wrote {out}: open it in a browser"
        for each in (what.traces, what.horizon, *what.inside.missing):
            yield from str(each).splitlines() if each else ()


def _keep_within(budget: int | None, facts: Network) -> None:
    """End with status 1 where a network has more parameters than it may."""
    if budget is None or facts.parameters <= budget:
        return
    most = sorted(facts.layers, key=lambda layer: -layer.counted)[:3]
    listed = ", ".join(
        f"{layer.path} {layer.kind} {layer.counted:,}".strip()
        for layer in most
        if layer.counted
    )
    over = facts.parameters - budget
    message(
        f"{facts.parameters:,} parameters, {over:,} over {budget:,}; most: {listed}"
    )
    raise typer.Exit(NO)
