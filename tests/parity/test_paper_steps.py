"""The cells of `tests/language/cells` equal steps that somebody wrote from the papers.

Who wrote `tests/paper_steps.py` had not seen the cells. Where papers leave a choice, or
implementations differ from them, the choice of the cell is said here.
"""

import inspect
from typing import Any

import numpy as np
import pytest
import torch

import paper_steps
from cell_texts import CELLS, NAMES
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn import Recurrent
from cellwright.nn.stateful import first_states

BOUND = TOLERANCES["reference", "float64"].bound
STEPS, ROWS, INPUT, HIDDEN = 4, 3, 8, 8
OPTIONS: dict[str, dict[str, Any]] = {
    "dnc_lstm": {"below_size": 2},
    "jordan": {"output_size": 2},
}
"""Sizes that have no default."""


def logistic(a: np.ndarray) -> np.ndarray:
    """Jordan, 1986, has logistic units; other texts give tanh and a linear output."""
    return 1 / (1 + np.exp(-a))


CHOICES: dict[str, dict[str, Any]] = {
    "antisymmetric": {"eps": 0.01, "gamma": 0.01},
    "jordan": {"hidden": logistic, "out": logistic},
    "lstm_norm_per_gate": {"eps": 1e-5},  # TensorFlow's own norm has 1e-12
    "sru": {"alpha": 1.0},
}
ORACLES = [
    name for name in NAMES if inspect.isfunction(getattr(paper_steps, name, None))
]


@pytest.mark.parametrize("name", ORACLES)
def test_cell_is_what_its_paper_says(name: str):
    """Outputs of some steps and the last states agree, from drawn weights."""
    torch.manual_seed(1)
    wide = 3 * HIDDEN if name == "qrnn_pool" else INPUT
    layer = Recurrent(
        str(CELLS / f"{name}.cell"),
        wide,
        HIDDEN,
        backend="reference",
        dtype=torch.float64,
        **OPTIONS.get(name, {}),
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    weights = {
        n.removesuffix("_l0"): p.detach().numpy() for n, p in layer.named_parameters()
    }
    graph = layer.graph
    x = torch.randn(STEPS, ROWS, wide, dtype=torch.float64)
    rest = {
        row.name: torch.rand(STEPS, ROWS, *[2] * len(row.shape), dtype=torch.float64)
        for row in graph.inputs[1:]
    }
    output, last = layer(x, **rest)
    last = [last] if isinstance(last, torch.Tensor) else list(last)
    step = getattr(paper_steps, name)
    states = [state[0].detach().numpy() for state in first_states(layer, ROWS)]
    for place in range(STEPS):
        inputs = [x[place].numpy(), *(value[place].numpy() for value in rest.values())]
        said, states = step(weights, *inputs, *states, **CHOICES.get(name, {}))
        assert error(output[place], torch.as_tensor(np.asarray(said))) <= BOUND
    for one, other in zip(last, states, strict=True):
        assert error(one[0], torch.as_tensor(np.asarray(other))) <= BOUND
