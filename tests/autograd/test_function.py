"""A compiled cell is a function that torch derives, again and in its transforms."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacrev, jvp, vmap

import cellwright as cw
from layer_runs import assert_same

CELLS = ["elman", "gru", "lstm", "slstm"]


def pair(cell: str, **options: Any) -> tuple[Any, Any]:
    """Return a layer on kernels and one on the reference, with the same weights."""
    made: list[Any] = []
    for backend in ("c", "reference"):
        torch.manual_seed(2)
        layer = cw.nn.Recurrent(
            cell, 4, 4, backend=backend, dtype=torch.float64, **options
        )
        assert layer.backend_report().rows[0].backend == backend
        made.append(layer)
    return made[0], made[1]


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def assert_both(cell: str, found: Callable[[Any], Any], **options: Any) -> None:
    """Fail unless both layers give the same tensors."""
    ours, truth = (found(layer) for layer in pair(cell, **options))
    named = [{str(i): v for i, v in enumerate(each)} for each in (ours, truth)]
    assert named[1]
    assert_same(named[0], named[1], "c", "float64")


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_penalty_has_the_references_gradient(
    cell: str, num_layers: int, retain: bool
):
    """The gradient that arrives hangs on the inputs too, and counts once."""

    def penalty(layer: Any) -> tuple[Tensor, ...]:
        x = sequence(5, 2, 4).requires_grad_()
        loss = layer(x)[0].pow(2).sum()
        (slope,) = torch.autograd.grad(loss, [x], create_graph=True)
        wrt = [x, *layer.parameters()]
        return torch.autograd.grad(slope.pow(2).sum(), wrt, retain_graph=retain)

    assert_both(cell, penalty, num_layers=num_layers)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_that_arrive_may_hang_on_one_another(cell: str):
    """Each counts once, though the last state's is made of the output's."""

    def second(layer: Any) -> tuple[Tensor, ...]:
        x = sequence(5, 2, 4).requires_grad_()
        output, state = layer(x)
        last = state if isinstance(state, Tensor) else state[0]
        pull = sequence(*output.shape).requires_grad_()
        pulls = [pull, 2 * pull[-1:]]
        (slope,) = torch.autograd.grad([output, last], [x], pulls, create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), [pull, x])

    assert_both(cell, second)


@pytest.mark.parametrize("cell", CELLS)
def test_third_derivatives_are_the_references(cell: str):
    """Each derivative can be derived again."""

    def third(layer: Any) -> tuple[Tensor, ...]:
        x = sequence(3, 2, 4).requires_grad_()
        value = layer(x)[0].pow(2).sum()
        for _ in range(2):
            (slope,) = torch.autograd.grad(value, [x], create_graph=True)
            value = slope.pow(2).sum()
        return torch.autograd.grad(value, [x, *layer.parameters()])

    assert_both(cell, third)


@pytest.mark.parametrize("cell", CELLS)
def test_batched_gradients_of_a_layer_that_runs_twice(cell: str):
    """An input that hangs on the same weights counts once for each way."""

    def batched(layer: Any) -> tuple[Tensor, ...]:
        output = layer(layer(sequence(5, 2, 4))[0])[0]
        pull = sequence(3, *output.shape)
        wrt = list(layer.parameters())
        return torch.autograd.grad(output, wrt, pull, is_grads_batched=True)

    assert_both(cell, batched)


def loss_of(layer: Any) -> Callable[..., Tensor]:
    """Return a layer's loss as a function of its weights and its input."""

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, weights, (x,))[0].pow(2).sum()

    return loss


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_each_sample_by_vmap(cell: str):
    """Torch.func's recipe, vmap over grad, needs no change."""

    def samples(layer: Any) -> list[Tensor]:
        weights = {n: p.detach() for n, p in layer.named_parameters()}
        each = vmap(grad(loss_of(layer)), in_dims=(None, 0))
        return list(each(weights, sequence(3, 5, 4)).values())

    assert_both(cell, samples)


# The first jvp of a process lets torch compile some of its own functions.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("cell", CELLS)
def test_jacobians_both_ways(cell: str):
    """Both modes, jacrev and jvp, see through the layer."""

    def both(layer: Any) -> list[Tensor]:
        def output(x: Tensor) -> Tensor:
            return layer(x)[0]

        x: Any = sequence(3, 2, 4)
        whole: Any = jacrev(output)(x)
        moved: Any = jvp(output, (x,), (torch.ones_like(x),))[1]
        return [whole.detach(), moved.detach()]

    assert_both(cell, both)
