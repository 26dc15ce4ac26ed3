"""The pictures of the tasks that are drawn: how it was learned, and what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator, NullFormatter
from torch import Tensor

from cellwright.tasks import Examples, Periodic

from .plots import COLOURS, STYLE, TRUTH, in_legend, png
from .state import Epoch

LINES = 4
"""So many units are drawn as lines, more as a field of colours."""
PERIODS = 6
"""How much is shown of a sequence that goes on for ever."""


def learning_picture(
    curves: Mapping[str, Sequence[Epoch]],
    counted: int,
    memoryless: float,
    what: str = "sequences",
) -> bytes:
    """Draw the errors of some trainings beside that of whoever remembers nothing.

    Args:
        curves: By what each is called.
        counted: Sequences, or symbols, of an epoch.
        memoryless: The mean squared error without memory.
        what: Is counted.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.subplots()
        for place, (name, curve) in enumerate(curves.items()):
            seen = [row.number * counted for row in curve]
            losses = [row.training_loss for row in curve]
            mark = "o" if len(curve) == 1 else None
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(seen, losses, marker=mark, color=colour, label=in_legend(name))
        axes.axhline(
            memoryless,
            color=TRUTH,
            linestyle=(0, (4, 3)),
            linewidth=1,
            label=f"no memory: {memoryless:.4f}",
        )
        axes.set_yscale("log")
        # The style has no formulas, which matplotlib would write powers of ten in.
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{what} learned from")
        axes.set_ylabel("mean squared error")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend()
        return png(figure)


def adding_picture(
    examples: Examples,
    said: Tensor,
    outputs: tuple[str, Tensor],
    tolerance: float,
    title: str,
) -> bytes:
    """Draw answers beside what was right, and the units along one sequence.

    Args:
        examples: Sequences, of which the first is drawn.
        said: What the network says to all of them.
        outputs: The name, and what each unit puts out along the first, ``[T, H]``.
        tolerance: From so large an error on an answer is wrong.
        title: What the network is called.
    """
    name, units = outputs
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        answers, along = figure.subplots(1, 2, width_ratios=(1, 1.9))
        truth, own = examples.target.flatten().numpy(), said.flatten().numpy()
        ends = np.array([truth.min(), truth.max()])
        answers.fill_between(
            ends, ends - tolerance, ends + tolerance, color="#e9e4da", linewidth=0
        )
        wrong = ~(np.abs(own - truth) < tolerance)
        answers.plot(truth[~wrong], own[~wrong], ".", color=COLOURS[3], markersize=2)
        answers.plot(truth[wrong], own[wrong], ".", color=COLOURS[0], markersize=3)
        answers.set_title(f"{len(truth):,} fresh sequences, {wrong.sum():,} wrong")
        answers.set_xlabel(f"right (shaded: within {tolerance:g})")
        answers.set_ylabel("said")
        answers.set_aspect("equal", adjustable="datalim")
        steps = len(units) if examples.lengths is None else int(examples.lengths[0])
        marks = np.flatnonzero(examples.x[:steps, 0, 1].numpy() == 1)
        values = ", ".join(f"{examples.x[step, 0, 0]:.2f}" for step in marks)
        _field(along, units[:steps], name)
        for step in marks:
            along.axvline(step, color=TRUTH, linewidth=1, linestyle=(0, (4, 3)))
        along.set_title(
            f"{title}: its units along one sequence\n"
            f"(dashed: the marks, {values}; said {own[0]:.3f}, right {truth[0]:.3f})"
        )
        return png(figure)


def periodic_picture(
    shown: Examples,
    outputs: tuple[str, Tensor],
    alone: Tensor,
    right: int,
    task: Periodic,
    title: str,
) -> bytes:
    """Draw what a network says when it hears only itself, and its units.

    Args:
        shown: Sequences, of which the first is drawn.
        outputs: The name, and what each unit puts out along it, ``[T, H]``.
        alone: What the network says when it goes on by itself.
        right: For how many steps it is right.
        task: What was learned.
        title: What the network is called.
    """
    name, units = outputs
    steps = PERIODS * task.period
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.6), layout="constrained")
        above, below = figure.subplots(2, 1)
        symbols = task.symbols(0, len(alone)).numpy()
        last = np.arange(len(alone) - steps, len(alone))
        above.bar(last, symbols[last], color="#e9e4da", label="right")
        above.plot(
            last,
            alone[last].numpy(),
            "o-",
            color=COLOURS[0],
            markersize=4,
            label="said",
        )
        above.axhline(0.5, color="#999999", linewidth=0.8, linestyle=(0, (1, 2)))
        above.set_title(
            f"{title} hears only itself: right for the first {right:,} of "
            f"{len(alone):,} steps; here the last {steps}"
        )
        above.set_xlabel("step by itself")
        above.set_ylabel("next symbol")
        above.set_ylim(top=1.3)
        above.legend(loc="upper right", ncols=2)
        part = units[:steps]
        if part.shape[1] > LINES:
            _field(below, part, name)
        else:
            for unit, values in enumerate(part.T.numpy()):
                below.plot(
                    values,
                    "o-",
                    markersize=4,
                    color=COLOURS[unit],
                    label=f"unit {unit}",
                )
            below.set_xlabel("step")
            below.set_ylabel(f"output {name}")
            below.margins(y=0.25)
            below.legend(loc="upper right", ncols=LINES, frameon=True, edgecolor="none")
        ones = np.flatnonzero(shown.x[: len(part), 0, 0].numpy() == 1)
        for step in ones:
            below.axvline(step, color=TRUTH, linewidth=0.8, linestyle=(0, (4, 3)))
        below.set_title("Its units along a sequence (dashed: where it is shown a 1)")
        for axes in (above, below):
            axes.xaxis.set_major_locator(MultipleLocator(task.period))
        return png(figure)


def _field(axes: Axes, units: Tensor, name: str) -> None:
    """Draw the output of every unit at every step."""
    values = units.T.numpy()
    most = float(np.abs(values).max()) or 1.0
    image = axes.imshow(
        values,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-most,
        vmax=most,
        interpolation="nearest",
    )
    axes.grid(visible=False)
    axes.set_xlabel("step")
    axes.set_ylabel("unit")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axes, label=f"output {name}")
