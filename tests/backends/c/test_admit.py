"""Kernels are handed only what they read rightly, whatever became of a layer."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

import cellwright as cw
from any_cell import further_inputs, sizes_for
from cellwright.backends.c.admit import flat
from cellwright.backends.c.errors import TensorError
from cellwright.checks.tolerances import TOLERANCES, error

BOUND = TOLERANCES["c", "float64"].bound
CONSTANT = """
constant k [hidden_size] = 0.5
input    x [input_size]
state    h [hidden_size]
weight   W [hidden_size, input_size]
output   h'
h' = tanh(W @ x + k * h)
"""


def layer(cell: str = "lstm", backend: str = "c", **options: Any) -> cw.nn.Recurrent:
    """Return a layer whose weights are always the same."""
    torch.manual_seed(0)
    return cw.nn.Recurrent(cell, 3, 4, backend=backend, dtype=torch.float64, **options)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (Tensor.float, "torch.float32 [4, 4] on cpu"),
        (lambda value: value[:2], "torch.float64 [2, 4] on cpu"),
        (lambda value: value[0], "torch.float64 [4] on cpu"),
        (lambda value: value.to("meta"), "torch.float64 [4, 4] on meta"),
        (Tensor.to_sparse, "torch.float64 [4, 4] on cpu, torch.sparse_coo"),
    ],
)
@pytest.mark.parametrize("grad", [True, False])
def test_a_weight_that_is_another_is_refused(
    change: Callable[[Tensor], Tensor], found: str, grad: bool
):
    """What a kernel would read beside its memory is an error that names the weight."""
    ours = layer()
    weights = {name: value.detach() for name, value in ours.named_parameters()}
    weights["U_f_l0"] = change(weights["U_f_l0"])
    with torch.set_grad_enabled(grad), pytest.raises(TensorError) as caught:
        functional_call(ours, weights, (torch.randn(5, 2, 3, dtype=torch.float64),))

    assert f"U_f: a kernel takes torch.float64 [4, 4] on cpu; found {found}" in str(
        caught.value
    )


def test_a_constant_has_no_gradient_in_silence():
    """A constant that asks for one is refused; the reference gives it."""
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    value = torch.full((4,), 0.5, dtype=torch.float64, requires_grad=True)
    ours, truth = layer(CONSTANT), layer(CONSTANT, "reference")
    ours.k_l0, truth.k_l0 = value, value
    with pytest.raises(TensorError, match="declare 'k' a weight"):
        ours(x)
    with torch.no_grad():
        found = ours(x)[0]
    (gradient,) = torch.autograd.grad(truth(x)[0].sum(), value)

    assert error(found, truth(x)[0]) <= BOUND
    assert gradient.abs().max() > 0.1


def test_lazy_negatives_are_read_with_their_sign():
    """The imaginary part of a conjugate is stored with the other sign."""
    ours, truth = layer(), layer(backend="reference")
    stored = torch.randn(5, 2, 3, dtype=torch.complex128)
    x = stored.conj().imag
    assert x.is_neg()
    cotangent = torch.randn(5, 2, 4, dtype=torch.complex128).conj().imag
    pairs = [
        (found, torch.autograd.grad(found, list(each.parameters()), cotangent))
        for each in (ours, truth)
        for found in [each(x)[0]]
    ]
    (found, gradients), (expected, exact) = pairs
    negated = torch._neg_view  # pyright: ignore[reportPrivateImportUsage]
    negative = {n: negated(-v) for n, v in ours.named_parameters()}

    assert error(found, expected) <= BOUND
    assert max(map(error, gradients, exact)) <= BOUND
    assert error(functional_call(ours, negative, (x,))[0], expected) <= BOUND


@pytest.mark.parametrize("cell", cw.cells.names())
def test_no_rows_have_gradients_of_nothing(cell: str):
    """A batch of 0 goes forward and back: every gradient is 0, as in torch.nn."""
    graph = cw.cells.load(cell).graph
    wide, high, options = sizes_for(graph, 3, 4)
    ours = cw.nn.Recurrent(cell, wide, high, backend="c", **options)
    x = torch.randn(5, 0, wide, requires_grad=True)
    output, _ = ours(x, **further_inputs(graph, 5, 0, x.dtype))
    wrt = [x, *ours.parameters()]
    gradients = torch.autograd.grad(
        output.sum(), wrt, allow_unused=True, materialize_grads=True
    )

    assert output.shape[:2] == (5, 0)
    for value, gradient in zip(wrt, gradients, strict=True):
        assert torch.equal(gradient, torch.zeros_like(value))


def test_what_is_recorded_is_the_computation():
    """A graph recorded by dispatch computes; it does not return fresh memory."""
    ours = layer("gru")
    x, other = (torch.randn(5, 2, 3, dtype=torch.float64) for _ in range(2))
    recorded = make_fx(lambda value: ours(value)[0])(x)

    assert torch.equal(recorded(other), ours(other)[0])


# torch calls all of it deprecated, and says that a trace holds for its own sizes.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "peephole_lstm"])
def test_what_torch_jit_traces_is_the_computation(kind: str):
    """A frozen layer's trace computes, also when it was saved and loaded."""

    class Output(torch.nn.Module):
        def __init__(self):
            super().__init__()
            drop_in = getattr(cw.nn, kind, None)
            self.layer = drop_in(3, 4) if drop_in else cw.nn.Recurrent(kind, 3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0]

    model = Output().eval().requires_grad_(False)
    x, other = torch.randn(2, 5, 2, 3)
    traced: Any = torch.jit.trace(model, x)
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)

    assert torch.equal(traced(other), model(other))
    assert torch.equal(torch.jit.load(file)(other), model(other))


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4), (5, 4, 0), (0, 4, 3), (3,)])
def test_one_number_in_all_places_is_written_down_as_a_row(shape: tuple[int, ...]):
    """So comes the gradient of a sum; it is what it was, with entries in a row."""
    value = torch.tensor(2.5).expand(shape)
    found = flat(value)
    assert torch.equal(found, value)
    assert not found.numel() or found.stride(-1) == 1
    assert found.untyped_storage().nbytes() <= 4 * max(1, shape[-1])
    other = flat(torch.arange(4.0)[:, None].expand(*shape[:-1], 4, 3))
    assert torch.equal(other, torch.arange(4.0)[:, None].expand_as(other))
