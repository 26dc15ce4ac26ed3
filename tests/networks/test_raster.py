import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

from cellwright.networks import SpikeError, raster

NEURONS = [1, 19, 20, 60, 61, 1000]


def drawn(neurons: int, steps: int = 100) -> torch.Tensor:
    """Return spikes [T, 2, N]."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(steps, 2, neurons, generator=generator) < 0.1).float()


@pytest.mark.parametrize("neurons", NEURONS)
def test_a_mark_stands_where_a_spike_is(neurons: int):
    """Times in ms along, neurons upwards, none left out, all inside of the axes."""
    spikes = drawn(neurons)
    figure = raster(spikes, step=0.5, row=1)
    axes = figure.axes[0]
    (marks,) = axes.lines
    found = np.stack([np.asarray(values) for values in marks.get_data()])

    expected = [[t * 0.5, n] for t, n in spikes[:, 1].nonzero().tolist()]
    assert found.T.tolist() == expected
    assert axes.get_xlim() == (0, 50)
    assert axes.get_ylim()[0] < 0
    assert axes.get_ylim()[1] > neurons - 1
    assert figure.axes[-1].get_xlabel() == "time (ms)"
    assert axes.get_ylabel() == "neuron"


@pytest.mark.parametrize("neurons", NEURONS)
def test_it_is_a_picture(neurons: int):
    """It can be written, and marks of both groups have left their colours in it."""
    groups = {"excitatory": neurons} if neurons == 1 else {"a": neurons - 1, "b": 1}
    buffer = io.BytesIO()
    raster(drawn(neurons), groups, title="costs $5 and $6").savefig(buffer)

    assert buffer.getvalue().startswith(b"\x89PNG")


def test_groups_are_told_apart():
    """Each has its neurons, a name at its height, and a colour of its own."""
    spikes = drawn(30)
    axes = raster(spikes, {"excitatory": 20, "inhibitory": 10}).axes[0]
    excitatory, inhibitory = axes.lines
    first, second = axes.texts

    assert np.asarray(excitatory.get_ydata()).max() == 19
    assert np.asarray(inhibitory.get_ydata()).min() == 20
    assert not same_color(excitatory.get_color(), inhibitory.get_color())
    assert [first.get_text(), second.get_text()] == ["excitatory", "inhibitory"]
    assert [first.get_position()[1], second.get_position()[1]] == [9.5, 24.5]
    assert same_color(first.get_color(), excitatory.get_color())
    assert same_color(second.get_color(), inhibitory.get_color())


def test_rates_are_means_over_five_milliseconds():
    """A group that spikes each 5 ms has 200 spikes/s, one that never does has none."""
    spikes = torch.zeros(100, 30)
    spikes[::10, :20] = 1
    figure = raster(spikes, {"beats": 20, "silent": 10}, step=0.5)
    beats, silent = (np.asarray(line.get_ydata()) for line in figure.axes[1].lines)

    np.testing.assert_array_equal(beats.round(9), 200)
    np.testing.assert_array_equal(silent, 0)
    assert figure.axes[1].get_ylabel() == "rate (spikes/s)"


def test_rates_are_drawn_on_request():
    """By themselves from 20 neurons on; True and False say otherwise."""
    counted = [len(raster(drawn(n)).axes) for n in (19, 20)]

    assert counted == [1, 2]
    assert len(raster(drawn(2), rate=True).axes) == 2
    assert len(raster(drawn(30), rate=False).axes) == 1


def test_unbatched_spikes():
    """[T, N] is drawn as a batch of one."""
    spikes = drawn(3)
    own, row = (raster(s).axes[0].lines[0] for s in (spikes[:, 0], spikes))

    np.testing.assert_array_equal(own.get_data(), row.get_data())


@pytest.mark.parametrize("silent", [slice(None), slice(20, 30), slice(20)])
def test_silence_leaves_the_picture_its_place(silent: slice):
    """Axes are as large as where every group spikes, and no name is missing."""
    loud, quiet = drawn(30), drawn(30)
    quiet[..., silent] = 0
    places = []
    for fired in (loud, quiet):
        figure = raster(fired, {"a": 20, "b": 10})
        figure.canvas.draw()
        places.append([axes.get_position() for axes in figure.axes])
        assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b"]

    for full, empty in zip(*places, strict=True):
        assert empty.width > 0.9 * full.width
        assert empty.height > 0.9 * full.height


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_run_shorter_than_the_window_has_one_rate(steps: int):
    """It is the mean of all of it, and a point in its middle, as it makes no line."""
    (rate,) = raster(drawn(30, steps=steps)).axes[1].lines
    (middle,), (mean,) = np.asarray(rate.get_data()).round(9)
    whole = drawn(30, steps=steps)[:, 0].double().mean() * 1000

    assert middle == steps / 2
    assert mean == round(float(whole), 9)
    assert rate.get_marker() == "."


@pytest.mark.parametrize(
    ("spikes", "options", "said"),
    [
        (torch.zeros(5), {}, r"one neuron is \[T, 1\]"),
        (torch.zeros(5, 1, 1, 1), {}, r"shape \[5, 1, 1, 1\]"),
        (torch.zeros(5, 2, 0), {}, r"shape \[5, 2, 0\]"),
        (torch.zeros(5, 2, 3), {"row": 2}, "row is a whole number from 0 to 1"),
        (torch.zeros(5, 2, 3), {"row": -1}, "found  row=-1"),
        (torch.zeros(5, 3), {"groups": {"a": 2}}, r"\{'a': 2\} of 3 neurons"),
        (torch.zeros(5, 3), {"groups": {"a": 3, "b": 0}}, "one at least"),
        (torch.zeros(5, 2, 3), {"row": 1.0}, "found  row=1.0"),
        (torch.zeros(5, 3), {"groups": {"a": 1.0, "b": 2.0}}, r"found  \{'a': 1.0,"),
        (torch.zeros(5, 3), {"groups": [1, 2]}, r"found  \[1, 2\] of 3 neurons"),
        (torch.zeros(5, 3), {"step": -1.0}, "step=-1.0"),
        (torch.zeros(5, 3), {"step": math.inf}, "step=inf"),
        (np.zeros((5, 3)), {}, "found  numpy.ndarray"),
    ],
)
def test_what_is_refused(spikes: Any, options: dict[str, Any], said: str):
    """Each refusal has the place, what was found, and a fix."""
    with pytest.raises(SpikeError, match=said) as caught:
        raster(spikes, **options)

    assert str(caught.value).startswith("raster: ")
    assert "\n  fix    " in str(caught.value)
