"""The author's scheme of 2003, spike by spike."""

import pytest
import torch

from cellwright.nn.recurrent import Recurrent

KINDS = {"regular spiking": (-65.0, 8.0, 20), "chattering": (-50.0, 2.0, 43)}
"""c, d and the spikes of 1,000 ms at I = 10; a = 0.02 and b = 0.2 in both. The other
kinds of the paper change their counts with the rounding of 0.04 * v**2."""


def author(c: float, d: float, steps: int) -> list[int]:
    """Return the spike times of the paper's own listing, for one neuron."""
    v, u, spikes = -65.0, 0.2 * -65.0, []
    for t in range(steps):
        if v >= 30:
            spikes.append(t)
            v, u = c, u + d
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + 10)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + 10)
        u = u + 0.02 * (0.2 * v - u)
    return spikes


def simulate(c: float, d: float, dtype: torch.dtype) -> torch.Tensor:
    """Return z at every millisecond of a neuron that gets a current of 10."""
    layer = Recurrent("izhikevich", 1, 1, c=c, d=d, dtype=dtype)
    with torch.no_grad():
        layer.get_parameter("W_l0").fill_(1.0)
        layer.get_parameter("U_l0").zero_()
        output, _ = layer(torch.full((1000, 1, 1), 10.0, dtype=dtype))
    return output.flatten()


@pytest.mark.parametrize("kind", KINDS)
def test_spike_counts(kind: str):
    """Regular spiking and chattering neurons spike as often as published."""
    c, d, count = KINDS[kind]
    assert int(simulate(c, d, torch.float64).sum()) == count


@pytest.mark.parametrize("kind", KINDS)
def test_first_spikes(kind: str):
    """The first five spikes come in the milliseconds of the author's listing."""
    c, d, _ = KINDS[kind]
    times = simulate(c, d, torch.float64).nonzero().flatten().tolist()
    assert times[:5] == author(c, d, 1000)[:5]


def test_a_spike_is_exactly_one():
    """The proxy's rounding never reaches the value: z is 0 or 1, in float32 too."""
    for dtype in (torch.float32, torch.float64):
        assert set(simulate(-50.0, 2.0, dtype).tolist()) == {0.0, 1.0}
