"""Which door a call takes: its tensors are numbers in memory, or somebody looks on."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import cellwright as cw
from cellwright import autograd
from cellwright.backends.reference.interpret import Arguments, run
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error


class Sub(Tensor):
    """A tensor of somebody's own."""


LAYERS = {
    "LSTM": lambda: cw.nn.LSTM(3, 5),
    "GRU": lambda: cw.nn.GRU(3, 5),
    "lstm": lambda: cw.nn.Recurrent("lstm", 3, 5, backend="c"),
}


def gradients(layer: Any, x: Tensor, hx: Any) -> list[Tensor]:
    """Return the output and all gradients."""
    output, _ = layer(x, hx)
    found = torch.autograd.grad(output.square().sum(), [*layer.parameters()])
    return [
        output.detach().as_subclass(Tensor),
        *(g.as_subclass(Tensor) for g in found),
    ]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("which", ["x", "hx", "weight"])
@pytest.mark.parametrize("grad", [True, False])
def test_a_tensor_of_ones_own(name: str, which: str, grad: bool):
    """It gives the numbers of a plain one, wherever it is."""
    layer = LAYERS[name]()
    x = torch.randn(4, 2, 3)
    count = 1 if name == "GRU" else 2
    hx = [torch.randn(1, 2, 5) for _ in range(count)]
    plain: Any = hx[0] if count == 1 else tuple(hx)
    expected = gradients(layer, x, plain)
    if which == "x":
        x = x.as_subclass(Sub)
    elif which == "hx":
        plain = hx[0].as_subclass(Sub)
        plain = plain if count == 1 else (plain, hx[1])
    else:
        own, value = next(iter(layer.named_parameters()))
        setattr(layer, own, torch.nn.Parameter(value.detach().as_subclass(Sub)))
    with torch.set_grad_enabled(grad):
        found = gradients(layer, x, plain) if grad else [layer(x, plain)[0]]
    for ours, theirs in zip(found, expected, strict=False):
        assert torch.equal(ours.as_subclass(Tensor), theirs)


@pytest.mark.parametrize("name", LAYERS)
def test_somebody_comes_to_look_on_at_the_backward_pass(name: str):
    """A mode that was not there in the forward pass sees an operator."""
    layer = LAYERS[name]()
    x = torch.randn(4, 2, 3)
    expected = gradients(layer, x, None)[1:]
    output, _ = layer(x)
    with FlopCounterMode(display=False):
        output.square().sum().backward()
    for ours, theirs in zip(layer.parameters(), expected, strict=True):
        assert torch.equal(ours.grad, theirs)


def test_sizes_come_in_any_order():
    """A kernel's lengths hang on names, not on places."""
    graph = find(
        "size m\ninput x [input_size]\nstate h [hidden_size]\n"
        "weight W [m, input_size]\nweight V [hidden_size, m]\noutput h'\n"
        "h' = tanh(V @ (W @ x) + h)\n"
    ).graph
    for sizes in (
        {"input_size": 2, "hidden_size": 3, "m": 4},
        {"m": 2, "hidden_size": 3, "input_size": 4},
    ):
        i, h, m = (sizes[name] for name in ("input_size", "hidden_size", "m"))
        weights = {"W": torch.randn(m, i).double(), "V": torch.randn(h, m).double()}
        arguments = Arguments(sizes, weights, {})
        given = [torch.randn(5, 2, i).double()], [torch.randn(2, h).double()]
        ours, exact = (each(graph, arguments, *given) for each in (autograd.run, run))
        assert error(ours.output, exact.output) <= TOLERANCES["c", "float64"].bound
