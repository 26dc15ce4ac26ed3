import math
from typing import Any, cast

import pytest
import torch

from cellwright.networks import IZHIKEVICH_TYPES, SpikeError, izhikevich
from cellwright.nn.errors import OptionError
from cellwright.nn.recurrent import Recurrent


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_a_current_reaches_its_own_neuron_alone(backend: str):
    """Without ceremony is with W the identity and U zero, value for value."""
    drawn = torch.Generator().manual_seed(0)
    current = 20 * torch.rand(300, 2, 3, generator=drawn, dtype=torch.float64)
    own = izhikevich("fast spiking", 3, backend=backend, dtype=torch.float64)
    full = Recurrent(
        "izhikevich",
        3,
        3,
        init={"U": 0},
        backend=backend,
        dtype=torch.float64,
        **IZHIKEVICH_TYPES["fast spiking"],  # pyright: ignore[reportArgumentType]
    )
    with torch.no_grad():
        torch.nn.init.eye_(full.get_parameter("W_l0"))
        expected, _ = full(current)
    spikes, _ = own(current)

    assert spikes.sum() > 10
    assert torch.equal(spikes, expected)


def test_there_is_nothing_to_learn():
    """Neurons that are alone have constants only, those of their type and the given."""
    layer = izhikevich(
        "resonator", 2, d=3.0, c=torch.tensor([-65.0, -60.0]), dtype=torch.float64
    )

    assert list(layer.parameters()) == []
    constants = {name: value.tolist() for name, value in layer.named_buffers()}
    assert constants["a_l0"] == [0.1, 0.1]
    assert constants["b_l0"] == [0.26, 0.26]
    assert constants["d_l0"] == [3, 3]
    assert constants["c_l0"] == [-65, -60]


def test_kinds_keep_their_constants():
    """Nobody changes the table for all others."""
    with pytest.raises(TypeError):
        IZHIKEVICH_TYPES["resonator"]["a"] = 1.0  # pyright: ignore[reportIndexIssue]


def test_unknown_kind():
    """A typo is answered with the nearest name."""
    with pytest.raises(SpikeError, match="did you mean 'fast spiking'") as caught:
        izhikevich("fast spikin")

    assert "one of regular spiking, intrinsically bursting" in str(caught.value)
    for kind in ("xyz", None, ["a"]):
        with pytest.raises(SpikeError, match=r"a=, b=, c=, d=") as caught:
            izhikevich(cast("Any", kind))
        assert f"found  {kind!r}" in str(caught.value)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf, "x", True])
def test_a_step_takes_time(step: Any):
    """Backwards it would end in NaN, and at once it would stand still."""
    with pytest.raises(SpikeError, match=f"more than 0\n  found  step={step!r}"):
        izhikevich("chattering", step=step)


@pytest.mark.parametrize("neurons", [0, 2.0])
def test_neurons_are_counted(neurons: Any):
    """It is said of neurons, not of a layer's sizes."""
    with pytest.raises(OptionError, match=f"neurons is .*; found {neurons!r}"):
        izhikevich("chattering", neurons)


def test_unknown_constant():
    """What is no constant of the cell is refused, step= of the scheme of 2003 too."""
    with pytest.raises(OptionError, match="'e'"):
        izhikevich("resonator", e=1.0)
