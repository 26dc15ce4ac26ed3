"""A run's result as one table: the model beside the simplest forecasters."""

from __future__ import annotations

from rich import box
from rich.table import Table

from .run import Run


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
    )
    table.add_column("forecaster", no_wrap=True)
    for heading in ("MSE", "vs model", "RMSE", "MAE", "step 1", f"step {horizon}"):
        table.add_column(heading, justify="right", no_wrap=True)
    own = run.scores[0]
    for entry in run.scores:
        best = entry.name == run.metrics["winner"]
        ratio = "" if entry == own else f"{entry.mse / own.mse - 1:+.1%}"
        table.add_row(
            f"{entry.name}{' *' if best else ''}",
            f"{entry.mse:.4f}",
            ratio,
            f"{entry.rmse:.4g}",
            f"{entry.mae:.4g}",
            f"{entry.mse_by_step[0]:.3f}",
            f"{entry.mse_by_step[-1]:.3f}",
            style="bold" if best else None,
        )
    return table
