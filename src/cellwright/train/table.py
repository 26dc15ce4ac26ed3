"""The results of runs as one table, beside what the simplest answers reach."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from .run import Run, SeriesRun

WIDEST = 1e4
"""From here on an error has two digits and a power of ten: all columns fit into 80."""

WIDEST_RAW = 1e8
"""The same for errors in the target's own units, which may well be large."""


def summary(*runs: Run) -> Table:
    """Return the table that a terminal shows.

    Args:
        runs: One finished run on a series; or runs on the same task, a row for each.
    """
    first = runs[0]
    if isinstance(first, SeriesRun):
        return _series(first)
    return _adding(runs) if first.config["job"] == "adding" else _periodic(runs)


def _series(run: SeriesRun) -> Table:
    """Return the forecasters, the best one marked."""
    data, settings = run.config["data"], run.config["settings"]
    horizon = settings["horizon"]
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{_place(data['columns'][0], data['name'])}: "
        f"{horizon} steps ahead from {settings['history']}, "
        f"{run.metrics['test_windows']} test windows",
        title_justify="left",
        caption="MSE over all steps, in squared training-std units;\n"
        "RMSE and MAE in the target's own units; * the best",
        caption_justify="left",
        # Powers of ten are wide: two blanks between columns in place of three.
        collapse_padding=True,
    )
    table.add_column("forecaster", no_wrap=True)
    for heading in ("MSE", "vs model", "RMSE", "MAE", "step 1", f"step {horizon}"):
        table.add_column(heading, justify="right", no_wrap=True)
    own = run.scores[0]
    for entry in run.scores:
        best = entry.name == run.metrics["winner"]
        ratio = "" if entry == own else _percent(entry.mse / own.mse - 1)
        table.add_row(
            f"{entry.name}{' *' if best else ''}",
            fixed(entry.mse, 4),
            ratio,
            _raw(entry.rmse),
            _raw(entry.mae),
            fixed(entry.mse_by_step[0], 3),
            fixed(entry.mse_by_step[-1], 3),
            style="bold" if best else None,
        )
    return table


def _place(column: str, name: str) -> str:
    return name if column == name else f"{column} of {name}"


def _adding(runs: Sequence[Run]) -> Table:
    first = runs[0]
    settings, test = first.config["settings"], first.metrics["test"]
    rule = first.metrics["rule"]
    variant, steps = settings["variant"], settings["steps"]
    table = _table(
        f"adding, {variant}, {steps} steps: {test['sequences']:,} fresh sequences",
        f"learned after so many sequences: the last {rule['last']:,} errors\n"
        f"all below {rule['tolerance']:g}, their mean below {rule['mean']:g};\n"
        f"wrong: {rule['tolerance']:g} or more; worst: the largest error",
        ("network", "parameters", "learned after", "wrong", "MSE", "worst"),
    )
    for run in runs:
        tested = run.metrics["test"]
        table.add_row(
            *_network(run),
            f"{tested['wrong']:,}",
            f"{tested['mse']:.2g}",
            f"{tested['worst']:.3f}",
        )
    table.add_row(*_nothing(), "", f"{first.metrics['memoryless']['mse']:.4f}", "")
    return table


def _periodic(runs: Sequence[Run]) -> Table:
    first = runs[0]
    period, rule = first.config["settings"]["period"], first.metrics["rule"]
    shown = " ".join(["1", *["0"] * (period - 1), "1"][:9])
    table = _table(
        f"{shown} ..., period {period}: the next symbol",
        f"learned after so many symbols: {rule['last']:,} in a row\n"
        f"with errors below {rule['tolerance']:g}; alone: right steps in a row,\n"
        f"of {first.metrics['alone']['steps']:,}, where it hears only itself",
        ("network", "parameters", "learned after", "right", "MSE", "alone"),
    )
    for run in runs:
        tested, alone = run.metrics["test"], run.metrics["alone"]
        table.add_row(
            *_network(run),
            f"{tested['accuracy']:.1%}",
            f"{tested['mse']:.2g}",
            f"{alone['right']:,}",
        )
    able = [run for run in runs if run.metrics["passed"]]
    if able:
        fewest = min(able, key=lambda run: run.config["settings"]["hidden_size"])
        units = fewest.config["settings"]["hidden_size"]
        enough = f"{units} unit{'s are' if units > 1 else ' is'} enough"
        table.caption = (
            f"{enough} (seed {fewest.config['settings']['seed']})\n{table.caption}"
        )
    least = first.metrics["memoryless"]
    table.add_row(*_nothing(), f"{least['accuracy']:.1%}", f"{least['mse']:.4f}", "")
    return table


def _table(title: str, caption: str, headings: Sequence[str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
    )
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    return table


def _network(run: Run) -> tuple[str, str, str]:
    settings, metrics = run.config["settings"], run.metrics
    layers = f" x {settings['num_layers']}" if settings["num_layers"] > 1 else ""
    name = f"{settings['cell'][-1]['name']}({settings['hidden_size']}){layers}"
    at = metrics["passed_at"]
    learned = f"not in {metrics['seen']:,}" if at is None else f"{at:,}"
    return name, f"{metrics['parameters']:,}", learned


def _nothing() -> tuple[str, str, str]:
    return "no memory", "", ""


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals, or in two digits where it is large.

    Example:
        >>> fixed(0.5, 4), fixed(2e76, 4)
        ('0.5000', '2e+76')
    """
    return f"{value:.{decimals}f}" if abs(value) < WIDEST else f"{value:.2g}"


def _raw(value: float) -> str:
    if abs(value) < WIDEST - 0.5:
        return f"{value:.4g}"
    return f"{value:.0f}" if abs(value) < WIDEST_RAW - 0.5 else f"{value:.2g}"


def _percent(share: float) -> str:
    return f"{share:+.1%}" if abs(share) < WIDEST / 100 else f"{100 * share:+.2g}%"
