import itertools
import math

import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.networks import (
    SpikeError,
    first_spikes,
    intervals,
    izhikevich,
    rates,
    spectrum,
    spike_times,
)

STATISTICS = [rates, first_spikes, spike_times, intervals, spectrum]


@pytest.fixture
def spikes() -> torch.Tensor:
    """Three rows of four neurons over 50 steps, of which one is silent."""
    drawn = torch.Generator().manual_seed(0)
    drawn_spikes = (torch.rand(50, 3, 4, generator=drawn) < 0.2).float()
    drawn_spikes[:, 1, 2] = 0
    return drawn_spikes


def test_statistics_are_those_of_a_loop(spikes: torch.Tensor):
    """Times, first times, intervals and rates, neuron by neuron, in steps of 0.5 ms."""
    every, first = spike_times(spikes, 0.5), first_spikes(spikes, 0.5)
    apart, rate = intervals(spikes, 0.5), rates(spikes, 0.5)
    for b in range(3):
        for n in range(4):
            times = [t * 0.5 for t in range(50) if spikes[t, b, n] == 1]
            assert every[b][n].tolist() == times
            assert first[b, n] == (times[0] if times else math.inf)
            assert apart[b][n].tolist() == [
                after - before for before, after in itertools.pairwise(times)
            ]
            assert rate[b, n] == len(times) / 0.025
    assert math.isinf(first[1, 2])
    assert len(every[1][2]) == len(apart[1][2]) == rate[1, 2] == 0


def test_a_batch_is_its_rows(spikes: torch.Tensor):
    """Unbatched spikes and single neurons have what they have in a batch."""
    row = spikes[:, 2]

    assert torch.equal(rates(row), rates(spikes)[2])
    assert torch.equal(first_spikes(row[:, 0]), first_spikes(spikes)[2, 0])
    assert torch.equal(spike_times(row)[3], spike_times(spikes)[2][3])
    assert torch.equal(intervals(row[:, 3]), intervals(spikes)[2][3])


@pytest.mark.parametrize("steps", [200, 201])
def test_powers_add_up_to_the_variance(steps: int):
    """Parseval's theorem, for even and odd numbers of steps."""
    drawn = torch.Generator().manual_seed(0)
    fired = torch.rand(steps, 20, generator=drawn) < 0.1
    rate = fired.double().mean(1) * 2000
    hertz, power = spectrum(fired, step=0.5)

    bound = TOLERANCES["reference", "float64"].bound
    assert error(power.sum(), rate.var(correction=0)) <= bound
    assert len(hertz) == len(power) == steps // 2
    assert (
        error(hertz, torch.arange(1.0, len(power) + 1).double() * 2000 / steps) <= bound
    )


def test_a_beat_has_its_frequency():
    """Forty volleys a second stand at 40 Hz and its multiples, whatever the step."""
    beat = torch.zeros(2000, 1, 5)
    beat[::50] = 1
    hertz, power = spectrum(beat, step=0.5)

    assert hertz[power > power.max() / 100].tolist() == list(range(40, 1001, 40))


def test_regular_spiking_neurons_adapt():
    """Their intervals grow until they are even, as the paper's figure has it."""
    current = torch.full((1000, 1, 1), 10.0, dtype=torch.float64)
    output, _ = izhikevich("regular spiking", dtype=torch.float64)(current)

    assert intervals(output[:, 0])[0][:4].tolist() == [27, 48, 62, 54]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_what_is_refused(statistic):
    """No steps, no time and no numbers: each with the place, the rule and a fix."""
    with pytest.raises(
        SpikeError, match=rf"{statistic.__name__}: .* one step at least"
    ):
        statistic(torch.zeros(0, 2))
    with pytest.raises(SpikeError, match=r"found  shape \[\]"):
        statistic(torch.tensor(1.0))
    for step in (0, math.inf, True, "1"):
        with pytest.raises(SpikeError, match=f"found  step={step!r}"):
            statistic(torch.zeros(3, 2), step=step)
    with pytest.raises(SpikeError, match=r"found  numpy.ndarray\n  fix .*as_tensor"):
        statistic(np.zeros((3, 2)))
    with pytest.raises(SpikeError, match="found  NaN"):
        statistic(torch.tensor([[0.0], [math.nan]]))


def test_rows_of_a_batch_have_a_spectrum_each():
    """Together they would cancel where each has a phase of its own."""
    with pytest.raises(SpikeError, match=r"spectrum\(spikes\[:, row\]\)"):
        spectrum(torch.zeros(100, 2, 5))


def test_late_spikes_have_exact_intervals():
    """Times of five minutes have no tenths in float32; what lies between them has."""
    spikes = torch.zeros(3_000_010, 1)
    spikes[[3_000_000, 3_000_003]] = 1

    assert torch.equal(intervals(spikes, 0.1)[0], torch.tensor([0.3]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.bool, torch.float32),
    ],
)
def test_results_have_the_digits_of_the_spikes(given, expected):
    """And no fewer than torch's default: a bfloat16 has no milliseconds of a second."""
    spikes = torch.zeros(1003, 1, dtype=given)
    spikes[[1, 999, 1001]] = 1
    every, apart = spike_times(spikes, 0.1)[0], intervals(spikes, 0.1)[0]
    results = (every, apart, first_spikes(spikes, 0.1), rates(spikes, 0.1))

    assert [result.dtype for result in results] == [expected] * 4
    exact = torch.tensor([1, 999, 1001], dtype=torch.float64) * 0.1
    assert torch.equal(every, exact.to(expected))


def test_a_neuron_alone_is_a_population():
    """[T] is [T, 1], as for all counts; of no neuron there is no rhythm."""
    beat = torch.zeros(100)
    beat[::10] = 1

    for one, other in zip(spectrum(beat), spectrum(beat[:, None]), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(
        SpikeError, match=r"one neuron at least\n  found  spikes \[9, 0"
    ):
        spectrum(torch.zeros(9, 0))
