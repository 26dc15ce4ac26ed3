"""``cellwright predict``: what a trained run says comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import cellwright.train as training

from .arguments import AsJson, examples
from .output import write_json, write_lines


@examples(
    "cellwright predict runs/sunspots -o forecast.csv",
    "cellwright predict runs/load new.csv -o forecast.csv",
    "cellwright predict runs/load new.csv -o back.csv --every",
)
def predict(
    run: Annotated[Path, typer.Argument(help="The result folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV file to write.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE.csv]",
            help="Rows that go before the forecast; the run's own data if left out.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--every",
            help="Forecast from every row, beside what came: a look back.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Forecast what follows a series, with a trained run.

    The CSV file holds one row for each step of a forecast: the last row that was seen,
    the step, its time, the forecast, and the actual value where there is one.
    """
    forecasts = training.predict(run, file, every=every)
    forecasts.to_csv(out)
    last = forecasts.rows[-1]
    if as_json:
        rows = len(forecasts.rows)
        write_json({"file": str(out), "rows": rows, "target": forecasts.target})
    else:
        count = f"{len(forecasts.rows):,} rows, {forecasts.target} up to {last.time}"
        ahead = f"{last.step} steps after {last.origin}"
        write_lines([f"Wrote {out}: {count} ({ahead})"])
