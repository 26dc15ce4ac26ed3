"""Forecast with a trained run, and write the forecasts as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cellwright.tasks import Series, following, histories, read_series
from cellwright.tasks import sunspots as sunspot_series

from .errors import InputError
from .files import write_text
from .run import SeriesRun, open_run

WINDOWS_AT_ONCE = 1024
BEFORE_TARGET = ("origin", "step", "time")
AFTER_TARGET = "actual"
"""The header of a file of forecasts, around the target's name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One forecast value.

    Attributes:
        origin: Label or number of the last row that was seen.
        step: Steps ahead of it, from 1.
        time: Label or number of the row that is forecast.
        forecast: The value, in the target's units.
        actual: What the file says, if it goes that far.
    """

    origin: str
    step: int
    time: str
    forecast: float
    actual: float | None = None


@dataclass(frozen=True)
class Forecasts:
    """Forecasts as a table; ``target`` is the forecast column's name."""

    target: str
    rows: tuple[Row, ...]

    def to_csv(self, path: str | Path) -> Path:
        """Write all rows, whole or not at all.

        Raises:
            RunError: The file could not be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*BEFORE_TARGET, self.target, AFTER_TARGET])
        for row in self.rows:
            actual = "" if row.actual is None else repr(row.actual)
            writer.writerow([row.origin, row.step, row.time, row.forecast, actual])
        write_text(Path(path), text.getvalue())
        return Path(path)


def is_forecast(path: Path) -> bool:
    """Say whether a file holds forecasts, by its header, or nothing at all."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader(file), None)
    if header is None:
        return True
    return tuple(header[:3]) == BEFORE_TARGET and header[4:] == [AFTER_TARGET]


def series_run(run: str | Path) -> SeriesRun:
    """Open a finished run on a series.

    Raises:
        RunError: The folder is no finished run.
        InputError: It is a run on a task.
    """
    opened = open_run(run)
    if not isinstance(opened, SeriesRun):
        raise InputError(
            f"{run}: a run on a task; only a forecaster of a series says what follows\n"
            "  fix: cellwright.load opens it, an ordinary nn.Module"
        )
    return opened


def predict(
    run: str | Path, data: str | Path | Series | None = None, *, every: bool = False
) -> Forecasts:
    """Forecast what follows a series.

    Args:
        run: The folder of a finished run.
        data: A CSV file with the run's columns, or a Series; its last ``history``
            rows are seen. The run's own data if None.
        every: Forecast from every row that has enough history, for a look back at what
            would have been said; beside each forecast stands the actual value.

    Returns:
        One row for each step; the last ``horizon`` rows are the steps after the data.

    Raises:
        RunError: The folder is no finished run.
        DataError: The file breaks rules, or is shorter than the history.
        InputError: The run's own data has changed, or a Series has other columns.
    """
    opened = series_run(run)
    model = opened.model()
    data = _series(opened.config, data, model.history)
    if data.columns != model.columns or len(data) < model.history:
        raise InputError(
            f"{data.name}: the run needs {model.history} rows of "
            f"{', '.join(model.columns)}; "
            f"found {len(data)} of {', '.join(data.columns)}"
        )
    first = model.history if every else len(data)
    starts = np.arange(first, len(data) + 1)
    labels = data.times or tuple(str(i + 1) for i in range(len(data)))
    labels += following(labels, model.horizon)
    rows = []
    for begin in range(0, len(starts), WINDOWS_AT_ONCE):
        part = starts[begin : begin + WINDOWS_AT_ONCE]
        with torch.no_grad():
            seen = torch.from_numpy(histories(data.values, part, model.history))
            values = model(seen).tolist()
        for start, forecast in zip(part.tolist(), values, strict=True):
            for step, value in enumerate(forecast):
                place = start + step
                actual = float(data.target[place]) if place < len(data) else None
                row = Row(labels[start - 1], step + 1, labels[place], value, actual)
                rows.append(row)
    return Forecasts(model.columns[0], tuple(rows))


def _series(config: dict, data: str | Path | Series | None, history: int) -> Series:
    if isinstance(data, Series):
        return data
    target, *inputs = config["data"]["columns"]
    if data is not None:
        return read_series(data, target, inputs, rows=history)
    own = sunspot_series()
    if own.sha256 == config["data"]["sha256"]:
        return own
    file = config["data"]["file"]
    if not file:
        raise InputError(
            f"{config['data']['name']}: give the data; it came from no file"
        )
    own = read_series(file, target, inputs, rows=history)
    if own.sha256 != config["data"]["sha256"]:
        raise InputError(
            f"{file}: has changed since the run was trained on it\n"
            "  fix: give the file itself, to forecast what follows its present rows"
        )
    return own
