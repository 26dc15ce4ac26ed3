"""Under torch.autocast our backends compute in the dtype of the weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

import cellwright as cw
from cellwright.nn.errors import DtypeError
from layer_runs import assert_same, outcome

# A product of weights is computed once a call, where autocast would reach it.
PRODUCT = """input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
weight U [hidden_size, hidden_size]
output h'
h' = tanh(W @ x + U @ (U @ h)) + mean(W @ x)
"""
MAKE: dict[str, Any] = {
    "LSTM": cw.nn.LSTM,
    "GRU": cw.nn.GRU,
    "RNN": cw.nn.RNN,
    "elman": lambda *a, **o: cw.nn.Recurrent("elman", *a, **o),
    "slstm": lambda *a, **o: cw.nn.Recurrent("slstm", *a, **o),
    "product": lambda *a, **o: cw.nn.Recurrent(PRODUCT, *a, **o),
}
AUTOCAST = torch.autocast("cpu", torch.bfloat16)


def made(kind: str, backend: str = "c", **options: Any) -> Any:
    """Return a layer of 3 inputs and 4 units in float32."""
    torch.manual_seed(3)
    layer = MAKE[kind](3, 4, num_layers=2, backend=backend, **options)
    assert layer.backend_report().rows[0].backend == backend
    return layer


def sequence(*shape: int) -> Tensor:
    """Return a random input in float32 that bfloat16 holds without rounding."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws).bfloat16().float()


@pytest.mark.parametrize("backend", ["c", "reference"])
@pytest.mark.parametrize("kind", MAKE)
def test_values_and_gradients_are_those_without(kind: str, backend: str):
    """Either dtype of input gives float32, to the bit as without autocast."""
    layer, x = made(kind, backend), sequence(5, 2, 3)
    expected = outcome(layer, x, None)
    with AUTOCAST:
        found = layer(x)
        arrived = layer(x.bfloat16())
    for output, _ in (found, arrived):
        assert output.dtype == torch.float32
        assert torch.equal(output, expected["output"])
    pull = torch.ones_like(x[..., :1]).expand(arrived[0].shape)
    wrt = list(layer.parameters())
    gradients = [
        torch.autograd.grad(output, wrt, pull) for output in (arrived[0], layer(x)[0])
    ]
    named = [{str(i): g for i, g in enumerate(each)} for each in gradients]
    assert all(g.dtype == torch.float32 for g in gradients[0])
    assert_same(named[0], named[1], "exact", "any")


@pytest.mark.parametrize("kind", MAKE)
def test_backward_within_the_block_is_the_same(kind: str):
    """Nothing of the backward kernel, nor of its own gradient, is cast."""
    layer, x = made(kind), sequence(5, 2, 3)
    wrt = list(layer.parameters())

    def penalty() -> list[Tensor]:
        inputs = x.clone().requires_grad_()
        output, _ = layer(inputs)
        (slope,) = torch.autograd.grad(output.sum(), [inputs], create_graph=True)
        twice = torch.autograd.grad(
            slope.pow(2).sum(), wrt, materialize_grads=True, retain_graph=True
        )
        return [slope.detach(), *twice, *torch.autograd.grad(output.sum(), wrt)]

    expected = penalty()
    with AUTOCAST:
        found = penalty()
    named = [{str(i): g for i, g in enumerate(each)} for each in (found, expected)]
    assert_same(named[0], named[1], "c", "float32")


def test_first_states_and_further_inputs_are_cast_too():
    """What an autocast layer put out is taken wherever a tensor is."""
    torch.manual_seed(3)
    layer: Any = cw.nn.Recurrent("phased_lstm", 3, 4)
    x, time, state = sequence(5, 2, 3), sequence(5, 2).abs(), sequence(1, 2, 4)
    expected = layer(x, (state, state), time=time)[0]
    with AUTOCAST:
        hx = (state.bfloat16(), state)
        found = layer(x.bfloat16(), hx, time=time.bfloat16())[0]
    assert torch.equal(found, expected)
    gru, given = made("GRU"), sequence(2, 2, 4)
    with AUTOCAST:
        found = gru(x.bfloat16(), given.bfloat16())[0]
    assert torch.equal(found, gru(x, given)[0])


@pytest.mark.parametrize("kind", ["LSTM", "slstm"])
def test_packed_sequences_are_cast_too(kind: str):
    """A packed bfloat16 input comes out packed, in float32."""
    layer = made(kind)
    packed = rnn.pack_sequence([sequence(5, 3), sequence(2, 3)])
    with AUTOCAST:
        found, _ = layer(packed.to(torch.bfloat16))
    assert isinstance(found, rnn.PackedSequence)
    assert torch.equal(found.data, layer(packed)[0].data)


def test_a_model_trains_under_autocast():
    """The layer stands between two that autocast computes in bfloat16."""
    torch.manual_seed(3)
    recurrent = cw.nn.GRU(4, 5)
    model: Any = nn.ModuleList([nn.Linear(3, 4), recurrent, nn.Linear(5, 1)])
    assert recurrent.backend_report().rows[0].backend == "c"
    with AUTOCAST:
        below = model[0](sequence(6, 2, 3))
        output, _ = recurrent(below)
        loss = model[2](output).float().pow(2).mean()
    assert (below.dtype, output.dtype) == (torch.bfloat16, torch.float32)
    loss.backward()
    assert all(weight.grad.any() for weight in model.parameters())


# torch.compile itself looks at .grad of what crosses the border of a graph.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("kind", ["LSTM", "elman"])
def test_compiled_layers_do_the_same(kind: str):
    """torch.compile changes nothing of it."""
    torch._dynamo.reset()
    layer, x = made(kind), sequence(5, 2, 3)
    compiled = torch.compile(layer, backend="aot_eager")
    with AUTOCAST:
        found = compiled(x.bfloat16())[0]
    assert found.dtype == torch.float32
    assert torch.equal(found, layer(x)[0])


@pytest.mark.parametrize("kind", MAKE)
def test_float64_is_not_narrowed(kind: str):
    """Autocast leaves float64 alone, so such an input is an error as ever."""
    layer = made(kind)
    with AUTOCAST, pytest.raises(DtypeError, match="input is float64"):
        layer(sequence(5, 2, 3).double())


@pytest.mark.parametrize("kind", ["LSTM", "slstm"])
def test_without_autocast_nothing_is_cast(kind: str):
    """Outside of the block another dtype is an error."""
    layer = made(kind)
    with pytest.raises(DtypeError, match="bfloat16"):
        layer(sequence(5, 2, 3).bfloat16())
