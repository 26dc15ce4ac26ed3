"""Every cell's gradients against central differences, each entry by itself."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cellwright import cells
from cellwright.checks.gradients import check_gradients

TEXTS = sorted((Path(__file__).parents[1] / "language" / "cells").glob("*.cell"))
NEEDED = {
    "dnc_lstm": {"below_size": 2},
    "jordan": {"output_size": 2},
    "lstm_proj": {"proj_size": 2},
    "lstm_projection": {"proj_size": 2},
    "lstm_1997_blocks": {"block_size": 2},
    "slstm": {"heads": 2},
}
"""Sizes without a default, and those that the hidden size must be divisible by."""

INPUT_SIZES = {"sru": 4, "sru_first": 4, "qrnn_pool": 12}


def arguments(name: str) -> dict[str, Any]:
    """Return the sizes with which a cell is checked."""
    sizes = {"input_size": INPUT_SIZES.get(name, 2), "hidden_size": 4}
    return sizes | NEEDED.get(name, {})


@pytest.mark.parametrize("name", cells.names())
def test_library(name: str):
    """A cell of the library passes, from reached and from declared first states."""
    report = check_gradients(name, steps=3, **arguments(name))
    assert report, str(report)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_texts(path: Path):
    """Each text of the language's definition passes."""
    report = check_gradients(path, steps=3, **arguments(path.stem))
    assert report, str(report)


def test_there_are_all_texts():
    """The list above is not empty by a moved folder."""
    assert len(TEXTS) == 41


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
