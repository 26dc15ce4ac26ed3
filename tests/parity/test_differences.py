"""Every cell's gradients against central differences, each entry by itself."""

import pytest
import torch

from any_cell import sizes_for
from cellwright import cells
from cellwright.checks.gradients import check_gradients


@pytest.mark.parametrize("name", cells.names())
def test_library(name: str):
    """A cell of the library passes, from reached and from declared first states."""
    sizes = sizes_for(cells.load(name).graph, 2, 4)
    report = check_gradients(
        name, sizes.input_size, sizes.hidden_size, steps=3, **sizes.options
    )
    assert report, str(report)


@pytest.mark.parametrize("name", ["lstm", "slstm", "lstm_norm_joint"])
def test_beyond_seven_units(name: str):
    """Random directions stand for the entries of a larger layer."""
    report = check_gradients(name, 5, 12, steps=3)
    assert report, str(report)
    assert {row.compared for row in report.rows} == {20}


def test_spiking_neurons():
    """Izhikevich neurons that spike: the reset and the proxy take part."""
    v = torch.tensor([[31.0, -60.0, 45.0], [-50.0, 33.0, -65.0]], dtype=torch.float64)
    report = check_gradients(
        "izhikevich", 2, 3, steps=2, hx=[v, 0.2 * v], dtype=torch.float64
    )
    assert report, str(report)
