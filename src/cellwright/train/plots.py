"""The pictures of a run, drawn without any global state of matplotlib."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellwright.tasks import Baseline, Scale, Score, Series

from .settings import Settings
from .state import Epoch

DOTS_PER_INCH = 150
TRUTH = "#2b2b2b"
COLOURS = ("#d1495b", "#8d99ae", "#b08968", "#2a7f9e", "#6a994e")
"""The model first; then persistence, seasonal naive and the autoregressions."""

FANS = 3
STYLE: dict[Any, Any] = {
    # Names of columns, rows and cells are the user's words; a $ is no formula in them.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}


def curve_picture(curve: Sequence[Epoch], settings: Settings) -> bytes:
    """Draw the errors over the epochs, as PNG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.subplots()
        numbers = [row.number for row in curve]
        middle = [row.decides for row in curve]
        training = [row.training_loss for row in curve]
        axes.plot(numbers, training, color=COLOURS[3], label="training block")
        axes.plot(numbers, middle, color=COLOURS[0], label="middle block (decides)")
        best = min(curve, key=lambda row: row.decides)
        # In the legend, where no line can cross it.
        axes.plot(
            best.number,
            best.decides,
            "o",
            color=COLOURS[0],
            markersize=6,
            label=f"best epoch {best.number}: {best.decides:.4f}",
        )
        axes.margins(y=0.15)
        axes.set_xlabel("epoch")
        axes.set_ylabel("MSE (training-std units²)")
        axes.set_title(f"{settings.model_name}, seed {settings.seed}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        return png(figure)


def forecast_picture(
    series: Series,
    scale: Scale,
    starts: np.ndarray,
    forecasts: Sequence[Baseline],
    scores: Sequence[Score],
) -> bytes:
    """Draw the test block, a few forecasts in full, and the error by step, as PNG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 7.2), layout="constrained")
        rows = figure.subplot_mosaic(
            [["test"] * 4, ["fan0", "fan1", "fan2", "steps"]], height_ratios=(1.1, 1)
        )
        _test_block(rows["test"], series, scale, starts, forecasts)
        chosen = np.linspace(0, len(starts) - 1, FANS + 2).round().astype(int)[1:-1]
        fans = [rows[f"fan{i}"] for i in range(FANS)]
        for axes, window in zip(fans, chosen, strict=True):
            _fan(axes, series, scale, int(starts[window]), int(window), forecasts)
        _share_values(fans)
        _steps(rows["steps"], scores)
        handles, labels = rows["steps"].get_legend_handles_labels()
        truth = rows["test"].get_legend_handles_labels()[0][0]
        figure.legend(
            [truth, *handles],
            [in_legend(series.columns[0]), *labels],
            loc="outside lower center",
            ncols=min(6, 1 + len(labels)),
            title="shaded: the steps to forecast, dotted: what came; "
            "figures: MSE over all steps of the test block (training-std²)",
            title_fontsize=8.5,
        )
        return png(figure)


def _test_block(
    axes: Axes,
    series: Series,
    scale: Scale,
    starts: np.ndarray,
    forecasts: Sequence[Baseline],
) -> None:
    horizon = forecasts[0].forecast.shape[1]
    where = np.arange(starts[0], len(series))
    axes.plot(where, series.target[where], color=TRUTH, linewidth=1, label="truth")
    last = _place(len(forecasts) - 1, len(forecasts))
    for entry, style in ((forecasts[-1], last), (forecasts[0], _place(0, 1))):
        said = scale.undo(entry.forecast[:, -1])
        axes.plot(starts + horizon - 1, said, linewidth=1.4, **style)
    axes.set_title(
        f"Test block, each point forecast {horizon} steps ahead: "
        f"{forecasts[0].name} and {forecasts[-1].name}"
    )
    axes.set_ylabel(series.columns[0])
    axes.margins(x=0.01)
    _time_axis(axes, series, int(where[0]), len(series), 9)


def _fan(
    axes: Axes,
    series: Series,
    scale: Scale,
    start: int,
    window: int,
    forecasts: Sequence[Baseline],
) -> None:
    horizon = forecasts[0].forecast.shape[1]
    begin = max(0, start - 2 * horizon)
    seen = np.arange(begin, start)
    ahead = np.arange(start, start + horizon)
    axes.axvspan(start - 0.5, ahead[-1] + 0.5, color="#f4f1ec", linewidth=0)
    axes.plot(seen, series.target[seen], color=TRUTH, linewidth=1.4)
    joined = np.arange(start - 1, start + horizon)
    axes.plot(
        joined, series.target[joined], color=TRUTH, linewidth=1, linestyle=(0, (1, 1))
    )
    for place in reversed(range(len(forecasts))):
        said = scale.undo(forecasts[place].forecast[window])
        width = 2.2 if place == 0 else 1.2
        axes.plot(ahead, said, linewidth=width, **_place(place, len(forecasts)))
    origin = series.times[start - 1] if series.times else f"row {start}"
    axes.set_title(f"Forecast after {origin}")
    _time_axis(axes, series, begin, start + horizon, 3)


def _share_values(fans: Sequence[Axes]) -> None:
    low = min(axes.get_ylim()[0] for axes in fans)
    high = max(axes.get_ylim()[1] for axes in fans)
    for axes in fans:
        axes.set_ylim(low, high)
    for axes in fans[1:]:
        axes.set_yticklabels([])


def _steps(axes: Axes, scores: Sequence[Score]) -> None:
    for place, entry in enumerate(scores):
        steps = np.arange(1, len(entry.mse_by_step) + 1)
        width = 2.2 if place == 0 else 1.2
        name = in_legend(f"{entry.name}: {entry.mse:.3f}")
        style = _place(place, len(scores))
        axes.plot(steps, entry.mse_by_step, linewidth=width, label=name, **style)
    axes.set_title("MSE by step (training-std²)")
    axes.set_xlabel("steps ahead")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))


def in_legend(label: str) -> str:
    """Return a label that matplotlib shows: it hides those that begin with _."""
    return f" {label}" if label.startswith("_") else label


def _place(place: int, count: int) -> dict[str, Any]:
    """Return a forecaster's colour; the autoregressions are always the last two."""
    from_end = count - place
    index = place if place < 2 or from_end > 2 else len(COLOURS) - from_end
    return {"color": COLOURS[index]}


def _time_axis(axes: Axes, series: Series, start: int, stop: int, ticks: int) -> None:
    """Label rows by their times: years where the labels begin with one."""
    if not series.times:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=ticks))
        axes.set_xlabel("row")
        return
    labels = series.times[start:stop]
    years = ["".join(re.findall(r"^\d{4}(?=-|$)", label)) for label in labels]
    turns = [
        (start + i, int(label))
        for i, (before, label) in enumerate(itertools.pairwise(years), 1)
        if before and label and label != before
    ]
    if len(turns) >= 2:
        step = next(
            (k for k in (1, 2, 5, 10, 20, 50, 100) if len(turns) / k <= ticks), 200
        )
        shown = [(row, str(year)) for row, year in turns if year % step == 0]
    else:
        rows = np.linspace(start, stop - 1, ticks).round().astype(int)
        shown = [(int(row), series.times[row]) for row in dict.fromkeys(rows.tolist())]
    axes.set_xticks([row for row, _ in shown], [label for _, label in shown])


def png(figure: Figure) -> bytes:
    """Return a figure as a file."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
