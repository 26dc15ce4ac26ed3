"""Spikes as a picture: a dot for each, time along, neurons upwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from cellwright.nn.options import is_whole
from cellwright.train.plots import COLOURS, DOTS_PER_INCH, STYLE

from .checks import check_spikes
from .errors import SpikeError

GROUPS = (COLOURS[3], COLOURS[0], COLOURS[4], COLOURS[2], COLOURS[1])
"""Excitatory neurons are blue and inhibitory ones red, in the order of `cortex`."""
STROKES = 60
"""Up to so many neurons a spike is a stroke as high as its row, beyond it a dot."""


def raster(
    spikes: Tensor,
    groups: Mapping[str, int] | None = None,
    *,
    step: float = 1.0,
    row: int = 0,
    rate: bool | None = None,
    title: str = "",
) -> Figure:
    """Draw which neuron spiked when.

    A notebook shows the figure; ``savefig("raster.png")`` writes it, or a PDF or SVG.

    Args:
        spikes: Of every step; anything but 0 is a spike.
        groups: Neurons of each group by its name, lowest first:
            ``{"excitatory": 800, "inhibitory": 200}``. Each has a colour.
        step: Milliseconds of a step.
        row: Which of the batch.
        rate: Whether the rate of each group is drawn below, as its mean over 5 ms; by
            default from 20 neurons on.
        title: Stands above.

    Shape:
        - spikes: ``[T, B, N]``, or ``[T, N]`` unbatched.

    Raises:
        SpikeError: The spikes, the row or the groups do not fit.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = cw.networks.izhikevich("fast spiking", neurons=3)
        >>> spikes, _ = layer(torch.tensor([5.0, 10.0, 15.0]).expand(200, 1, 3))
        >>> figure = cw.networks.raster(spikes, title="Fast spiking at 5, 10 and 15")
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['time (ms)']
    """
    fired = _one_row(spikes, row, step)
    steps, neurons = fired.shape
    parts = _groups(groups, neurons)
    below = neurons >= 20 if rate is None else rate
    with mpl.rc_context(STYLE):
        height = 1.6 + min(3.6, 0.3 + 0.12 * max(neurons, 5)) + 1.3 * below
        figure = Figure(figsize=(8, height), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        heights = (height - 2.6, 1.3) if below else (1,)
        rows = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        )[:, 0]
        _dots(rows[0], fired, parts, step)
        rows[0].set_title(title)
        if below:
            _rates(rows[1], fired, parts, step)
        rows[-1].set_xlabel("time (ms)")
        rows[-1].set_xlim(0, steps * step)
    return figure


def _one_row(spikes: Tensor, row: int, step: float) -> np.ndarray:
    fired = check_spikes("raster", spikes, step)
    if fired.dim() not in (2, 3) or 0 in fired.shape:
        raise SpikeError(
            "raster",
            "spikes are [T, B, N], or [T, N] unbatched",
            f"shape {list(spikes.shape)}",
            "one neuron is [T, 1]",
        )
    if fired.dim() == 2:
        fired = fired[:, None]
    if not is_whole(row, least=0) or row >= fired.shape[1]:
        raise SpikeError(
            "raster",
            f"row is a whole number from 0 to {fired.shape[1] - 1}, of the batch",
            f"row={row!r}",
            "spikes are [T, B, N]: with batch_first=True, spikes.transpose(0, 1)",
        )
    return fired[:, row].cpu().numpy()


def _groups(groups: object, neurons: int) -> dict[str, slice]:
    """Return which neurons each group has."""
    given = {"": neurons} if groups is None else groups
    sizes = dict(given) if isinstance(given, Mapping) else {}
    if not all(map(is_whole, sizes.values())) or sum(sizes.values()) != neurons:
        raise SpikeError(
            "raster",
            "groups share out all neurons, and each has one at least",
            f"{given!r} of {neurons} neurons",
            "name every group with how many it has, the lowest first: "
            f'{{"all": {neurons}}}',
        )
    ends = np.cumsum(list(sizes.values())).tolist()
    starts = [0, *ends[:-1]]
    return {
        name: slice(start, end)
        for name, start, end in zip(sizes, starts, ends, strict=True)
    }


def _dots(
    axes: Axes, fired: np.ndarray, parts: Mapping[str, slice], step: float
) -> None:
    neurons = fired.shape[1]
    style: dict[str, Any] = {"marker": ".", "markersize": 2, "markeredgewidth": 0}
    if neurons <= STROKES:
        size = 130 / max(neurons, 12)
        style = {"marker": "|", "markersize": size, "markeredgewidth": 1.2}
    for (name, part), colour in zip(parts.items(), _colours(parts), strict=True):
        times, which = np.nonzero(fired[:, part])
        if len(times):  # matplotlib lays out a line of nothing as a corner of the page.
            axes.plot(
                times * step,
                which + part.start,
                linestyle="none",
                color=colour,
                clip_on=False,
                **style,
            )
        axes.text(
            1.01,
            (part.start + part.stop - 1) / 2,
            name,
            color=colour,
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_ylim(-0.5 - 0.01 * neurons, neurons - 0.5 + 0.01 * neurons)
    axes.set_ylabel("neuron")
    axes.yaxis.set_major_locator(
        MaxNLocator(integer=True, nbins=6, min_n_ticks=1, steps=(1, 2, 5, 10))
    )
    axes.grid(visible=False)


def _rates(
    axes: Axes, fired: np.ndarray, parts: Mapping[str, slice], step: float
) -> None:
    """Draw the rates of the groups, averaged over windows of about 5 ms."""
    window = max(1, min(round(5 / step), len(fired)))
    for part, colour in zip(parts.values(), _colours(parts), strict=True):
        each = fired[:, part].mean(1) * 1000 / step
        shape = np.ones(window) / window
        seen = np.convolve(each, shape, mode="valid")
        middle = (np.arange(len(seen)) + window / 2) * step
        alone = "." if len(seen) == 1 else ""  # One point makes no line.
        style: dict[str, Any] = {"marker": alone, "linewidth": 1, "clip_on": False}
        axes.plot(middle, seen, color=colour, **style)
    axes.set_ylabel("rate (spikes/s)")
    axes.set_ylim(bottom=0)


def _colours(parts: Mapping[str, slice]) -> list[str]:
    return [GROUPS[place % len(GROUPS)] for place in range(len(parts))]
