"""``cellwright predict``: what a trained run says comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import cellwright.train as training
from cellwright.train.folder import Folder
from cellwright.train.forecasts import is_forecast, series_run

from .arguments import AsJson, UsageError, examples
from .files import require_folder
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
    _require_free(out, run, file)
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


def _require_free(out: Path, run: Path, file: Path | None) -> None:
    """Refuse to write over data, over a run, or over anything but a forecast."""
    data = file or Path(series_run(run).config["data"]["file"])
    if out.resolve() == data.resolve() or (
        out.exists() and data.exists() and out.samefile(data)
    ):
        what = "is the data that is read"
    elif Folder(run).owns(out):
        what = f"is a file of the run {run}"
    elif out.is_file() and not is_forecast(out):
        what = "is there already, and is no forecast of an earlier predict"
    else:
        require_folder(out)
        return
    raise UsageError(
        f"{out}: {what}; it is not overwritten\n  fix: choose another name with -o"
    )
