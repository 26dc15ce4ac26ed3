"""Times against units, rows and steps, on logarithmic axes, with the limit of sgemm."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cellwright.train import plots as train_plots

from .registry import BOTH, FORWARD, OUR_LSTM, OURS, SGEMM
from .summary import Group, groups, limit_rate, median, time_words

Row = Mapping[str, Any]

DOTS_PER_INCH = 150
COLOURS = ("#d1495b", "#2a7f9e", "#6a994e", "#b08968", "#7b5ea7", "#8d99ae")
"""Ours first."""
MARKERS = "osD^vP"
LIMIT = "#2b2b2b"
LIMIT_WORDS = "products at the best rate of sgemm"
STYLE = {**train_plots.STYLE, "axes.titlesize": 9.5, "axes.titleweight": "normal"}
AXES = {"H": "units H", "B": "rows B", "T": "steps T"}


def pictures(rows: Sequence[Row]) -> dict[str, bytes]:
    """Return a PNG for each case with something to draw, by the name of its file.

    Args:
        rows: of the results.
    """
    rate = limit_rate(rows)
    by_case: dict[str, list[Group]] = {}
    for group in groups(rows):
        # Beside our own LSTM alone there is nothing to see that the tables do not say.
        if set(group.contenders) - {OURS, OUR_LSTM}:
            by_case.setdefault(group.case, []).append(group)
    drawn = {case: _picture(found, rate) for case, found in by_case.items()}
    return {f"{case}.png": png for case, png in drawn.items() if png is not None}


def _picture(found: Sequence[Group], rate: float | None) -> bytes | None:
    """Draw a row of axes for each direction, one for each axis that varies."""
    grid = [[line_of(group.rows, axis) for axis in AXES] for group in found]
    shown = [
        (place, axis)
        for place, axis in enumerate(AXES)
        if any(len(row[place]) > 1 for row in grid)
    ]
    if not shown:
        return None
    names = dict.fromkeys(
        name for g in found for name in g.contenders if not name.startswith(SGEMM)
    )
    styles = {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        for i, name in enumerate(names)
    }
    with mpl.rc_context(STYLE):
        size = (3.4 * len(shown) + 0.6, 2.9 * len(found) + 0.7)
        figure = Figure(figsize=size, layout="constrained")
        all_axes = figure.subplots(len(found), len(shown), squeeze=False)
        for group, lines, row in zip(found, grid, all_axes, strict=True):
            for axes, (place, axis) in zip(row, shown, strict=True):
                _draw(axes, group, lines[place], axis, styles, rate)
        handles: dict[str, Any] = {}
        for axes in all_axes.flat:
            found_handles, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, found_handles, strict=True))
        # In the same order in every picture.
        named = [name for name in (*styles, LIMIT_WORDS) if name in handles]
        figure.legend(
            [handles[name] for name in named],
            named,
            loc="outside lower center",
            # The longest name is as wide as one picture.
            ncols=min(len(named), len(shown)),
        )
        return _png(figure)


def line_of(rows: Iterable[Row], axis: str) -> list[Row]:
    """Return the longest line of rows in which one axis varies alone, by its values.

    Among equally long lines it is one whose input is as wide as the layer, in the
    middle of the others.

    Args:
        rows: of one case and direction.
        axis: H, B or T.
    """
    lines: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if not row["seconds"]:
            continue
        wide = row["I"] == row["H"]
        rest = [row[name] for name in "BTH" if name != axis]
        lines.setdefault((wide, *rest), []).append(row)
    if not lines:
        return []
    longest = max((len(line), key[0]) for key, line in lines.items())
    best = sorted(key for key, line in lines.items() if (len(line), key[0]) == longest)
    return sorted(lines[best[len(best) // 2]], key=lambda row: row[axis])


def _draw(
    axes: Axes,
    group: Group,
    rows: Sequence[Row],
    axis: str,
    styles: Mapping[str, Any],
    rate: float | None,
) -> None:
    if len(rows) < 2:
        axes.set_axis_off()
        return
    for name, style in styles.items():
        points = [(r[axis], t) for r in rows if (t := median(r, name)) is not None]
        if not points:
            continue
        widest = 2.2 if name == OURS else 1.3
        order = 3 if name == OURS else 2
        axes.plot(
            *zip(*points, strict=True),
            label=name, linewidth=widest, markersize=4, zorder=order, **style,
        )  # fmt: skip
    limits = [
        (r[axis], r["work"][OURS] / rate) for r in rows if rate and OURS in r["work"]
    ]
    if limits and group.what in (FORWARD, BOTH):
        axes.plot(
            *zip(*limits, strict=True),
            label=LIMIT_WORDS,
            color=LIMIT, linewidth=1, linestyle=(0, (4, 2)),
        )  # fmt: skip
    axes.set_xscale("log", base=2 if axis != "T" else 10)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator([row[axis] for row in rows]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axes.get_ylim()
    # A single power of ten is no scale.
    marks = (1, 2, 5) if high < 100 * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=marks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _mark(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(AXES[axis])
    wide = rows[0]["I"] == rows[0]["H"]
    kept = [f"{name}={rows[0][name]}" for name in "BTH" if name != axis]
    width = "I=H" if wide else f"I={rows[0]['I']}"
    axes.set_title(f"{group.title}\n{', '.join([*kept, width])}")


def _mark(seconds: float) -> str:
    """Return a time on an axis: a whole number of its unit."""
    number, unit = time_words(seconds).split()
    return f"{float(number):g} {unit}"


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
