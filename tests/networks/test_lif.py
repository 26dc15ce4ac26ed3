import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.networks import first_spikes
from cellwright.nn.recurrent import Recurrent

DECAY, THRESHOLD, SLOPE = 0.9, 1.0, 10.0


def neurons(count: int, backend: str) -> Recurrent:
    """Return neurons that get a current each."""
    options = {"decay": DECAY, "threshold": THRESHOLD, "slope": SLOPE}
    layer = Recurrent(
        "lif",
        count,
        count,
        init={"U": 0},
        backend=backend,
        dtype=torch.float64,
        **options,  # pyright: ignore[reportArgumentType]
    )
    with torch.no_grad():
        torch.nn.init.eye_(layer.get_parameter("W_l0"))
    return layer


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_a_current_charges_the_neuron(backend: str):
    """It spikes when I (1 - decay**n) / (1 - decay) first exceeds the threshold."""
    current = torch.tensor([0.05, 0.11, 0.2, 0.5, 1.01], dtype=torch.float64)
    steps = torch.arange(1, 101, dtype=torch.float64)[:, None]
    charged = current * (1 - DECAY**steps) / (1 - DECAY) > THRESHOLD
    spikes, _ = neurons(5, backend)(current.expand(100, 1, 5))

    assert first_spikes(spikes[:, 0]).tolist() == first_spikes(charged).tolist()
    assert first_spikes(charged).isinf().tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_the_surrogate_is_what_the_page_says(backend: str):
    """A spike's slope is 1 / (1 + slope |d|)², d the potential less the threshold."""
    x = torch.tensor([[[0.5, 0.99, 1.0, 1.01, 3.0]]], dtype=torch.float64)
    x.requires_grad_()
    spikes, _ = neurons(5, backend)(x)
    spikes.sum().backward()
    d = x.detach() - THRESHOLD

    assert spikes.flatten().tolist() == [0, 0, 0, 1, 1]
    assert x.grad is not None
    bound = TOLERANCES["c", "float64"].bound
    assert error(x.grad, 1 / (1 + SLOPE * d.abs()) ** 2) <= bound
