"""A run's result as one table: the model beside the simplest forecasters."""

from __future__ import annotations

from rich import box
from rich.table import Table

from .run import Run

WIDEST = 1e4
"""From here on an error has two digits and a power of ten: all columns fit into 80."""

WIDEST_RAW = 1e9
"""The same for errors in the target's own units, which may well be large."""


def summary(run: Run) -> Table:
    """Return the table that a terminal shows, best forecaster marked.

    Args:
        run: A finished run.
    """
    data, settings = run.config["data"], run.config["settings"]
    horizon = settings["horizon"]
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{data['columns'][0]} of {data['name']}: "
        f"{horizon} steps ahead from {settings['history']}, "
        f"{run.metrics['test_windows']} test windows",
        title_justify="left",
        caption="MSE over all steps, in squared training-std units;\n"
        "RMSE and MAE in the target's own units; * the best",
        caption_justify="left",
        # Powers of ten are wide: two blanks between columns, then, in place of three.
        collapse_padding=any(entry.mse >= WIDEST for entry in run.scores),
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


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals, or in two digits where it is large.

    Example:
        >>> fixed(0.5, 4), fixed(2e76, 4)
        ('0.5000', '2e+76')
    """
    return f"{value:.{decimals}f}" if abs(value) < WIDEST else f"{value:.2g}"


def _raw(value: float) -> str:
    return f"{value:.4g}" if abs(value) < WIDEST_RAW else f"{value:.2g}"


def _percent(share: float) -> str:
    return f"{share:+.1%}" if abs(share) < WIDEST / 100 else f"{100 * share:+.2g}%"
