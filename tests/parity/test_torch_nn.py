"""`Recurrent` and torch.nn are the same function, with the same gradients."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn.recurrent import Recurrent
from cellwright.nn.torch_weights import TORCH, from_packed

BOUND = TOLERANCES["reference", "float64"].bound
MODULES = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "elman": nn.RNN,
    "elman_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm_proj": partial(nn.LSTM, proj_size=2),
}
LAYOUTS = [
    {"num_layers": 1},
    {"num_layers": 2, "bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "bias": False},
    {"num_layers": 1, "bidirectional": True, "batch_first": True},
]
LENGTHS = [(1, 1, 1, 3), (5, 3, 2, 4), (4, 1, 3, 7), (1, 6, 4, 3)]
"""Steps, rows, features and units; proj_size stays below the units."""


def both_layers(
    cell: str, features: int, units: int, layout: dict[str, Any]
) -> tuple[Recurrent, nn.RNNBase]:
    """Return our layer and torch's, with torch's weights in both."""
    theirs = MODULES[cell](features, units, dtype=torch.float64, **layout)
    sizes: dict[str, Any] = {"proj_size": 2} if cell == "lstm_proj" else {}
    ours = Recurrent(cell, features, units, dtype=torch.float64, **layout, **sizes)
    ours.load_state_dict(from_packed(TORCH[cell], theirs.state_dict()))
    return ours, theirs


def flat(result: Any) -> list[Tensor]:
    """Return the output and every final state of a call."""
    output, state = result
    return [output, *([state] if isinstance(state, Tensor) else state)]


def assert_close(ours: Tensor, theirs: Tensor, name: str) -> None:
    """Compare two tensors within the reference's tolerance."""
    found = error(ours, theirs)
    assert found <= BOUND, f"{name}: {found:.1e} is more than {BOUND:.0e}"


def compare(ours: Recurrent, theirs: nn.RNNBase, x: Tensor, hx: Any) -> None:
    """Compare outputs, final states and every gradient."""
    first = [hx] if isinstance(hx, Tensor) else list(hx or [])
    leaves = [x.requires_grad_(), *(state.requires_grad_() for state in first)]
    mine, other = flat(ours(x, hx)), flat(theirs(x, hx))
    for i, (one, two) in enumerate(zip(mine, other, strict=True)):
        assert_close(one, two, "output" if i == 0 else f"state {i}")
    cotangents = [torch.randn_like(value) for value in other]
    our_names, their_names = (
        dict(layer.named_parameters()) for layer in (ours, theirs)
    )
    our_gradients = torch.autograd.grad(
        mine, [*leaves, *our_names.values()], cotangents
    )
    their_gradients = torch.autograd.grad(
        other, [*leaves, *their_names.values()], cotangents
    )
    for i in range(len(leaves)):
        name = "input" if i == 0 else f"first state {i}"
        assert_close(our_gradients[i], their_gradients[i], f"gradient of {name}")
    expected = dict(zip(their_names, their_gradients[len(leaves) :], strict=True))
    packing = TORCH[ours.cell.name]
    for name, gradient in zip(our_names, our_gradients[len(leaves) :], strict=True):
        own, _, layer = name.rpartition("_l")
        for piece in packing[own]:  # two biases of torch have one gradient
            part = expected[f"{piece.source}_l{layer}"].chunk(piece.parts)[piece.part]
            assert_close(gradient, part, f"gradient of {name}")


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("cell", MODULES)
def test_layouts_equal_torch(cell: str, layout: dict[str, Any]):
    """Layers, directions, biases and batch_first mean what they mean in torch.nn."""
    torch.manual_seed(1)
    ours, theirs = both_layers(cell, 3, 5, layout)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    rows = 2 if layout.get("batch_first") is None else 4
    count = layout["num_layers"] * (1 + bool(layout.get("bidirectional")))
    sizes = [2, 5] if cell == "lstm_proj" else [5, 5] if cell == "lstm" else [5]
    hx = [torch.randn(count, rows, size, dtype=torch.float64) for size in sizes]
    compare(ours, theirs, x, hx[0] if len(hx) == 1 else tuple(hx))


@pytest.mark.parametrize(
    ("cell", "lengths"),
    list(itertools.product(MODULES, LENGTHS)),
    ids=lambda v: "T{}-B{}-I{}-H{}".format(*v) if isinstance(v, tuple) else v,
)
def test_lengths_equal_torch(cell: str, lengths: tuple[int, int, int, int]):
    """One step, one row, one feature and odd sizes are no special case."""
    torch.manual_seed(2)
    steps, rows, features, units = lengths
    ours, theirs = both_layers(cell, features, units, {})
    x = torch.randn(steps, rows, features, dtype=torch.float64)
    compare(ours, theirs, x, None)
