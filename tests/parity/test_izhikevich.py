"""The author's schemes of 2003 and 2004, spike by spike."""

from typing import Any

import pytest
import torch
from torch import Tensor

import izhikevich_program
from cellwright.checks.tolerances import TOLERANCES
from cellwright.networks import IZHIKEVICH_TYPES, izhikevich, spike_times
from cellwright.nn.recurrent import Recurrent

BACKENDS = ("c", "reference")
EXACT = {"regular spiking": 20, "chattering": 43}
"""Spikes of 1,000 ms at I = 10 that no rounding of 0.04 * v**2 changes."""
COUNTS = {
    **EXACT,
    "intrinsically bursting": 27,
    "fast spiking": 63,
    "low-threshold spiking": 44,
    "thalamo-cortical": 67,
    "resonator": 80,
}
"""As a float64 program with 0.04 * v * v counts them; other roundings differ."""
PATTERNS = {
    # name: (constants, first potential, current, its start, end, spikes, the first)
    "tonic spiking": (
        {"d": 6.0},
        (-70.0, 14.0, 10.0, 100.0),
        (5, [13.0, 17.0, 31.5, 59.25, 86.75]),
    ),
    "phasic spiking": (
        {"b": 0.25, "d": 6.0},
        (-64.0, 0.5, 20.0, 200.0),
        (1, [43.75]),
    ),
    "tonic bursting": (
        {"c": -50.0, "d": 2.0},
        (-70.0, 15.0, 22.0, 220.0),
        (28, [25.0, 26.5, 28.25]),
    ),
}
"""Panels A, B and C of figure1.m of 2004: constants that are not a regular spiking
neuron's; first potential, current, when it begins and when all ends; spikes."""


def simulate(
    layer: Recurrent, hx: tuple[Tensor, Tensor] | None = None, steps: int = 1000
) -> Tensor:
    """Return z at every millisecond of neurons that get a current of 10."""
    dtype = next(layer.buffers()).dtype
    current = torch.full((steps, 1, layer.input_size), 10.0, dtype=dtype)
    with torch.no_grad():
        output, _ = layer(current, hx)
    return output[:, 0]


def library_neuron(kind: str, backend: str, dtype: torch.dtype) -> Recurrent:
    """Return one neuron of the library's cell, its input weight 1."""
    options: dict[str, Any] = {"backend": backend, **IZHIKEVICH_TYPES[kind]}
    return Recurrent("izhikevich", 1, 1, init={"W": 1, "U": 0}, dtype=dtype, **options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", COUNTS)
def test_first_spikes(kind: str, backend: str):
    """The first five spikes come in the milliseconds of the author's listing."""
    own = izhikevich(kind, backend=backend, dtype=torch.float64)
    by_weight = library_neuron(kind, backend, torch.float64)
    expected = izhikevich_program.one_neuron(IZHIKEVICH_TYPES[kind], 200, 10.0)[:5]

    assert len(expected) == 5
    for layer in (own, by_weight):
        assert spike_times(simulate(layer, steps=200))[0][:5].tolist() == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", EXACT)
def test_exact_counts(kind: str, backend: str):
    """Regular spiking and chattering neurons spike as often as published."""
    own = simulate(izhikevich(kind, backend=backend, dtype=torch.float64))
    by_weight = simulate(library_neuron(kind, backend, torch.float64))

    assert int(own.sum()) == EXACT[kind]
    assert int(by_weight.sum()) == EXACT[kind]


@pytest.mark.parametrize("kind", COUNTS)
def test_counts(kind: str):
    """By the reference, whose order of operations is the file's, counts are near."""
    layer = izhikevich(kind, backend="reference", dtype=torch.float64)
    bound = TOLERANCES["spike counts", "float64"].bound

    assert abs(int(simulate(layer).sum()) - COUNTS[kind]) <= bound * COUNTS[kind]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", COUNTS)
def test_mean_counts(kind: str, backend: str):
    """A thousand neurons that begin 1e-9 mV apart spike as often in the mean.

    One neuron's count is a draw: a kernel contracts a product and a sum, which rounds
    once where the listing rounds twice.
    """
    layer = izhikevich(kind, 1000, backend=backend, dtype=torch.float64)
    apart = torch.randn(
        1, 1, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    v = -65 + 1e-9 * apart
    mean = simulate(layer, (v, IZHIKEVICH_TYPES[kind]["b"] * v)).sum(0).mean()
    bound = TOLERANCES["spike counts", "float64"].bound

    assert abs(float(mean) - COUNTS[kind]) <= bound * COUNTS[kind]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str, backend: str):
    """Euler steps of 0.25 ms give the spikes of the author's program of 2004."""
    constants, (first, strength, start, end), (count, times) = PATTERNS[pattern]
    options: dict[str, Any] = {"backend": backend, "dtype": torch.float64, **constants}
    layer = izhikevich("regular spiking", step=0.25, **options)
    # The program sees a spike at the end of a step, the cell at the start of the next.
    at = 0.25 * torch.arange(round(end / 0.25) + 2, dtype=torch.float64)
    current = strength * (at > start).double()
    v = torch.full((1, 1, 1), first, dtype=torch.float64)
    spikes, _ = layer(current[:, None, None], (v, constants.get("b", 0.2) * v))
    found = spike_times(spikes[1:, 0], step=0.25)[0].tolist()

    assert len(found) == count
    assert found[: len(times)] == times


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_spike_is_exactly_one(dtype: torch.dtype):
    """The proxy's rounding never reaches the value: z is 0 or 1, in float32 too."""
    output = simulate(library_neuron("chattering", "auto", dtype))

    assert set(output.flatten().tolist()) == {0.0, 1.0}
