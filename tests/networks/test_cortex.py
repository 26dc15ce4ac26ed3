from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import izhikevich_program
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.networks import SpikeError, cortex, rates, spectrum, thalamus
from cellwright.nn.errors import OptionError

EQUAL = 500
"""Milliseconds over which no rounding has been seen to move a spike."""

BANDS = ((7, 10), (11, 14), (25, 40), (55, 80))
"""Of frequencies in Hz, both ends with it."""
ROUNDING = TOLERANCES["reference", "float64"].bound


def drawn(dtype: torch.dtype, backend: str = "auto", seed: int = 0):
    """Return the network, and currents for it."""
    generator = torch.Generator().manual_seed(seed)
    network = cortex(generator=generator, backend=backend, dtype=dtype)
    return network, thalamus(1000, generator=generator, dtype=dtype)


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_spikes_are_those_of_the_papers_program(backend: str):
    """From the same draws come the same spikes, and the same rates after a second."""
    network, currents = drawn(torch.float64, backend)
    expected = izhikevich_program.network(network, currents[:, 0].numpy())
    with torch.no_grad():
        output, _ = network(currents)
    spikes = output[:, 0].bool().numpy()

    assert expected[:EQUAL].sum() > 2000
    assert np.array_equal(spikes[:EQUAL], expected[:EQUAL])
    bound = TOLERANCES["spike counts", "float64"].bound
    for part in (slice(800), slice(800, None)):
        own, other = spikes[:, part].mean(), expected[:, part].mean()
        assert abs(own - other) <= bound * other


def test_both_populations_spike_at_some_hertz():
    """In float32, and by another seed, the rates are those of the network."""
    network, currents = drawn(torch.float32, seed=1)
    with torch.no_grad():
        output, _ = network(currents)
    each = rates(output)[0]

    assert 6 < float(each[:800].mean()) < 9
    assert 6 < float(each[800:].mean()) < 9


def test_constants_are_the_papers():
    """Each population has the constants of its formulas, from an r for each neuron."""
    network, _ = drawn(torch.float64)
    a, b, c, d = (network.get_buffer(f"{name}_l0") for name in "abcd")
    squares = (c[:800] + 65) / 15
    shares = (a[800:] - 0.02) / 0.08

    assert set(a[:800].tolist()) == {0.02}
    assert set(b[:800].tolist()) == {0.2}
    assert error(d[:800], 8 - 6 * squares) <= ROUNDING
    assert set(c[800:].tolist()) == {-65}
    assert set(d[800:].tolist()) == {2}
    assert error(b[800:], 0.25 - 0.05 * shares) <= ROUNDING
    for r in (squares.sqrt(), shares):
        assert 0 <= r.min() < 0.05
        assert 0.95 < r.max() < 1
        assert abs(r.mean() - 0.5) < 0.05


def test_weights_excite_and_inhibit():
    """Columns are the neurons that spike: up to 0.5 from 800, down to -1 from 200."""
    network, _ = drawn(torch.float64)
    weights = network.get_parameter("U_l0").detach()

    assert 0 <= weights[:, :800].min() < 0.02
    assert 0.48 < weights[:, :800].max() < 0.5
    assert -1 < weights[:, 800:].min() < -0.98
    assert -0.02 < weights[:, 800:].max() <= 0


def test_a_seed_draws_one_network():
    """It is the same in every dtype, up to rounding, and another by another seed."""
    wide, currents = drawn(torch.float64)
    narrow, rounded = drawn(torch.float32)
    other, _ = drawn(torch.float32, seed=1)

    for name, value in wide.state_dict().items():
        assert torch.equal(value.float(), narrow.state_dict()[name])
    assert torch.equal(currents.float(), rounded)
    assert not torch.equal(other.get_parameter("U_l0"), narrow.get_parameter("U_l0"))


def test_other_sizes():
    """A network of any size has currents of its size."""
    generator = torch.Generator().manual_seed(0)
    network = cortex(4, 2, generator=generator)
    output, (v, _) = network(thalamus(7, 4, 2, generator=generator))

    assert tuple(output.shape) == (7, 1, 6)
    assert v.isfinite().all()


def test_the_rhythm_is_the_networks():
    """Alpha and gamma stand out, 7 to 10 Hz and 25 to 40, and are not the noise's."""
    network, _ = drawn(torch.float32)
    generator = torch.Generator().manual_seed(1)
    currents = thalamus(1500, batch=8, generator=generator)
    power = []
    for _ in range(2):
        with torch.no_grad():
            spikes, _ = network(currents)
            network.get_parameter("U_l0").zero_()
        rows = [spectrum(spikes[500:, row])[1] for row in range(8)]
        # From 1 Hz up, one entry each.
        each = torch.stack(rows).mean(0)
        power.append([float(each[low - 1 : high].mean()) for low, high in BANDS])
    (alpha, between, gamma, above), alone = power

    assert alpha > 2 * between
    assert gamma > 1.5 * between
    assert gamma > 3 * above
    assert max(alone) < min(alpha, gamma) / 2


def test_gradients_are_the_references():
    """A kernel's gradients of currents and weights, of a small network that spikes."""
    found = []
    for backend in ("c", "reference"):
        generator = torch.Generator().manual_seed(0)
        network = cortex(
            6, 2, generator=generator, backend=backend, dtype=torch.float64
        )
        currents = 3 * thalamus(40, 6, 2, generator=generator, dtype=torch.float64)
        currents.requires_grad_()
        spikes, _ = network(currents)
        assert network.backend == backend
        spikes.sum().backward()
        weights = network.get_parameter("U_l0").grad
        assert weights is not None
        assert currents.grad is not None
        assert weights.abs().max() > 0
        found.append((spikes.detach(), currents.grad, weights))

    bound = TOLERANCES["c", "float64"].bound
    assert found[0][0].sum() > 10
    for own, expected in zip(*found, strict=True):
        assert error(own, expected) <= bound


SIZED: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (cortex, (-1, 3), {}, "cortex: excitatory is a whole number from 0 on; found -1"),
    (cortex, (8.0, 2), {}, "cortex: excitatory is .*; found 8.0"),
    (cortex, (8, "2"), {}, "cortex: inhibitory is .*; found '2'"),
    (
        cortex,
        (0, 0),
        {},
        r"excitatory \+ inhibitory is a whole number from 1 on; found 0",
    ),
    (cortex, (8, 2), {"generator": 0}, r"cortex: generator is .*\n  found  0\n"),
    (thalamus, (1e3, 8, 2), {}, "thalamus: steps is .*; found 1000.0"),
    (thalamus, (9, 8, -2), {}, "thalamus: inhibitory is .*; found -2"),
    (thalamus, (9, 8, 2), {"batch": 1.5}, "thalamus: batch is .*; found 1.5"),
    (thalamus, (9, 8, 2), {"generator": "a"}, r"thalamus: generator .*\n  found  'a'"),
]


@pytest.mark.parametrize(("draw", "sizes", "options", "said"), SIZED)
def test_what_is_refused(draw, sizes, options, said: str):
    """What is no number of neurons, steps or rows, by its name."""
    with pytest.raises((OptionError, SpikeError), match=said):
        draw(*sizes, **options)
