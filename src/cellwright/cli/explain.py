"""``cellwright explain``: what is true of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import Any

import torch
import typer
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.explain import network_figure
from cellwright.explain.facts import Network
from cellwright.explain.inside.untouched import untouched
from cellwright.explain.layers.boxes import boxes_of, is_chain
from cellwright.explain.measures.facts import Measured
from cellwright.explain.measures.measuring import Asked
from cellwright.explain.measures.measuring import measure as run_and_measure
from cellwright.explain.opened import Explained
from cellwright.explain.opened import explain as opened
from cellwright.explain.rules_of_thumb import RulesOfThumb, of_network
from cellwright.explain.summary import Summary, summary
from cellwright.explain.targets import Target, example_of, read_input, read_target
from cellwright.explain.terminal import network_view
from cellwright.explain.watching import in_evaluation

from . import explain_options as options
from .arguments import AsJson, UsageError, examples, pairs
from .faults import NO
from .files import PAGE, PICTURE, require_free, write_text
from .output import message, width, write, write_json, write_lines

OF_TORCH = (RuntimeError, TypeError, ValueError, IndexError, KeyError)
"""What a forward raises that is handed something else than it takes."""


@examples(
    "cellwright explain 'nn.LSTM(1, 300)' --input 20,1,1",
    "cellwright explain 'Embedding(50000, 5); LSTM(3, return_sequences=True)'",
    "cellwright explain 'LSTM(300, input_shape=(20, 1)); Dense(20)'",
    "cellwright explain peephole_lstm --size hidden_size=8",
    "cellwright explain 'nn.LSTM(100, 200)' --budget 500000",
    "cellwright explain 'nn.LSTM(2, 8)' --input 20,4,2 --html lstm.html",
    "cellwright explain 'nn.LSTM(2, 8)' --input 20,4,2 --measure --window 5",
)
def explain(
    target: options.Target,
    input: options.Input = None,
    size: options.Size = None,
    budget: options.Budget = None,
    examples: options.Examples = None,
    html: options.Html = None,
    svg: options.Svg = None,
    measure: options.Measure = False,
    window: options.Window = None,
    rate: options.Rate = None,
    unit: options.Unit = None,
    seed: options.Seed = 0,
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
    torch.manual_seed(seed)
    found = read_target(target, width_in, pairs("--size", size or []))
    found = replace(found, example=shape or found.example)
    if dtype in (None, torch.float32):
        dtype = _dtype(found)
    asked = Asked(measure or window is not None, window, _rates(rate), unit)
    facts = _facts(found, dtype, html is not None)
    measured = _measured(found, dtype, facts, asked) if asked.anything else None
    rules = None if examples is None else _rules(found, facts, examples)
    picture = "" if svg is None else _picture(found, facts)
    written = [*_written(html, facts), *_written(svg, picture, facts)]
    if as_json:
        more = {} if measured is None else {"measured": _finite(asdict(measured))}
        more |= {} if rules is None else {"rules_of_thumb": asdict(rules)}
        write_json({**facts.to_json(), **more})
    elif written:
        write_lines(written)
    if not as_json and (measured is not None or rules is not None or not written):
        write(network_view(facts, width(), measured, rules))
    _keep_within(budget, facts)


def _finite(data: Any) -> Any:
    """Return plain data whose numbers JSON has a word for; others are null."""
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _rates(given: list[float] | None) -> list[float]:
    for rate in given or ():
        if not math.isfinite(rate):
            raise UsageError(f"--rate: is a number; found {rate}\n  fix: --rate 0.1")
    return given or []


def _dtype(target: Target) -> torch.dtype | None:
    """Return the dtype of a network's weights, None where they have several or none."""
    dtypes = {p.dtype for p in target.module.parameters() if p.is_floating_point()}
    return dtypes.pop() if len(dtypes) == 1 else None


def _rules(target: Target, facts: Network, examples: int) -> RulesOfThumb:
    found = of_network(facts, examples)
    if found is None:
        raise UsageError(
            f"{target.words}: rules of thumb hang on the features that a network takes "
            "and gives; found none at one of its ends\n"
            "  fix: --input, where none was given, and layers that give features"
        )
    return found


def _measured(
    target: Target, dtype: torch.dtype | None, facts: Network, asked: Asked
) -> Measured:
    return run_and_measure(target.module, _example(target, dtype), facts, asked)


def _example(target: Target, dtype: torch.dtype | None) -> torch.Tensor:
    if target.example is None:
        raise UsageError(
            f"{target.words}: what a network does is shown with an input; found none\n"
            "  fix: --input 20,1,3, batch and steps as the network takes them"
        )
    return example_of(target.module, target.example, dtype or torch.float32)


def _facts(target: Target, dtype: torch.dtype | None, inside: bool) -> Summary:
    """Return the facts of a network, with what is inside of it where that is shown."""
    if target.example is not None:
        _require_runs(target, dtype)
    if not inside:
        dtypes = None if dtype is None else [dtype]
        return summary(target.module, target.example, dtypes=dtypes, words=target.words)
    x = _example(target, dtype)
    return opened(target.module, x, words=target.words)


def _require_runs(target: Target, dtype: torch.dtype | None) -> None:
    """Say that it is the network that does not take an input, where it does not."""
    shape = target.example or ()
    device = next((p.device for p in target.module.parameters()), None)
    x = torch.zeros(shape, dtype=dtype or torch.float32, device=device)
    try:
        with in_evaluation(target.module), untouched(target.module), torch.no_grad():
            target.module(x)
    except CellwrightError:
        raise
    except (*OF_TORCH, AttributeError, AssertionError, NotImplementedError) as error:
        sizes = ",".join(map(str, shape))
        tokens = any(isinstance(m, nn.Embedding) for m in target.module.modules())
        fix = "another --input, or a file.py:NAME whose forward takes one tensor"
        if tokens and x.is_floating_point():
            fix = f"--input {sizes}:long, whole numbers, for a table of vectors"
        kind = str(x.dtype).removeprefix("torch.")
        raise UsageError(
            f"{target.words}: runs with one input, here {list(shape)} of {kind}; found "
            f"{type(error).__name__}: {error}\n  fix: {fix}"
        ) from error


def _picture(target: Target, facts: Network) -> str:
    layers = boxes_of(target.module, facts)
    if not layers:
        raise UsageError(
            f"{target.words}: the picture is of a chain of layers, or of recurrent "
            "ones; found neither\n"
            "  fix: --input, where none was given; else ask for --html"
        )
    seen = [layer.recurrence for layer in facts.layers if layer.recurrence]
    return network_figure(layers, seen[0].steps if seen else None)


def _written(
    out: Path | None, what: Summary | str, facts: Network | None = None
) -> Iterator[str]:
    """Write a page or a picture; yield what to say of it."""
    if out is None:
        return
    if isinstance(what, str):
        write_text(out, what)
        alone = facts is None or is_chain(facts)
        yield f"Wrote {out}" if alone else f"Wrote {out}: its recurrent layers alone"
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
