"""A bare call finds once what never changes, and gives what any call gives."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from threading import Thread
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils import swap_tensors

import cellwright as cw
from any_cell import sizes_for
from cellwright.autograd.whole import Whole
from cellwright.backends.c.errors import TensorError
from cellwright.backends.c.levels import VARIABLE
from cellwright.backends.reference import interpret
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn import bare, dropin, recurrent
from cellwright.nn.errors import DtypeError, ShapeError

MADE_OF = """
input    x [input_size]
state    h [hidden_size]
weight   W [hidden_size, input_size]
weight   U [hidden_size, hidden_size]
weight   u [hidden_size]
bias     b [hidden_size]
output   h'
h' = tanh(W @ x + {})
"""
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layers": {"num_layers": 3},
    "both ways": {"bidirectional": True, "num_layers": 2},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "recompute": {"memory": "recompute"},
    "dropout in evaluation": {"num_layers": 2, "dropout": 0.5},
}
OF_ONE_INPUT = [
    name for name in cw.cells.names() if len(cw.cells.load(name).graph.inputs) == 1
]
DROP_INS = {"LSTM": cw.nn.LSTM, "GRU": cw.nn.GRU, "RNN": cw.nn.RNN}


def layer_of(name: str, **options: Any) -> Any:
    """Return a layer of about 5 inputs and 12 units, in evaluation, on kernels."""
    torch.manual_seed(2)
    if name in DROP_INS:
        return DROP_INS[name](5, 12, backend="c", **options).eval()
    wide, high, more = sizes_for(cw.cells.load(name).graph, 5, 12)
    layer = cw.nn.Recurrent(name, wide, high, backend="c", **more, **options)
    return layer.eval()


@contextmanager
def never_bare() -> Iterator[None]:
    """Let every call go the way of those that ask for more."""
    with (
        mock.patch.object(dropin, "bare_call", return_value=None),
        mock.patch.object(recurrent, "bare_call", return_value=None),
    ):
        yield


def everything(layer: Any, x: Tensor, hx: Any = None) -> list[Tensor]:
    """Return what a call gives, and all gradients."""
    output, state = layer(x, hx)
    states = [state] if isinstance(state, Tensor) else list(state)
    loss = output.square().sum() + sum(each.sum() for each in states)
    first = [hx] if isinstance(hx, Tensor) else [*(hx or ())]
    leaves = [x, *layer.parameters(), *(v for v in first if v.requires_grad)]
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    with torch.no_grad():
        alone, _ = layer(x, hx)
    return [output, *states, alone, *(g for g in found if g is not None)]


def assert_as_ever(layer: Any, x: Tensor, hx: Any = None) -> None:
    """Fail unless a bare call gives the bits of one that is not."""
    for _ in range(3):
        found = everything(layer, x, hx)
        memory = [value.data_ptr() for value in found if value.numel()]
        # Elsewhere torch itself adds two biases, and knows that they have one gradient.
        whole = layer.memory == "store" and not layer.bidirectional
        assert not whole or len(set(memory)) == len(memory), "two share their memory"
        with never_bare():
            expected = everything(layer, x, hx)
        assert len(found) == len(expected)
        assert all(map(torch.equal, found, expected))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that notes of each bare call whether it was answered."""
    calls: list[bool] = []
    call = bare.Bare.call

    def noted(self: bare.Bare, *given: Any) -> Any:
        found = call(self, *given)
        calls.append(found is not None)
        return found

    monkeypatch.setattr(bare.Bare, "call", noted)
    return calls


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["lstm", "gru", "peephole_lstm", *DROP_INS])
def test_a_bare_call_is_any_call(
    name: str, options: str, monkeypatch: pytest.MonkeyPatch
):
    """With every option the same bits, with first states and without."""
    calls = counted(monkeypatch)
    layer = layer_of(name, **OPTIONS[options])
    shape = (3, 7, 5) if layer.batch_first else (7, 3, 5)
    x = torch.randn(shape, requires_grad=True)
    assert_as_ever(layer, x)
    count = layer.num_layers * (1 + layer.bidirectional)
    states = 2 if "lstm" in name.lower() else 1
    hx = [torch.randn(count, 3, 12, requires_grad=True) for _ in range(states)]
    assert_as_ever(layer, x, hx[0] if len(hx) == 1 else tuple(hx))
    assert calls
    assert all(calls)


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_every_cell_gives_what_it_gives(name: str):
    """Scalars, constants, computed weights, declared first states."""
    layer = layer_of(name)
    assert_as_ever(layer, torch.randn(7, 3, layer.input_size, requires_grad=True))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("said", "computes"),
    [
        ("lstm_norm_joint", False),
        ("clockwork", True),
        ("u * tanh(U @ h) * mean(h) + b", False),
        ("u * sigmoid(b) * (U @ h)", True),
        ("(U @ sigmoid(b)) * u * h", True),
        ("u * (transpose(U) @ h) + b", True),
    ],
)
def test_what_a_pass_takes_may_be_computed(said: str, computes: bool, bias: bool):
    """From sizes alone, once, or from weights, at every call; it is one pass still."""
    text = said if " " not in said else MADE_OF.format(said)
    torch.manual_seed(0)
    layer = cw.nn.Recurrent(text, 5, 12, 2, bias=bias, dtype=torch.float64)
    x = torch.randn(7, 3, 5, dtype=torch.float64, requires_grad=True)
    assert_as_ever(layer, x)
    in_numbers(layer)
    assert_as_ever(layer, x)
    known = bare._known[layer].bare
    assert known is not None
    found = known._one_pass("all")
    assert found is not None
    assert found.computes == computes


def in_numbers(layer: Any) -> None:
    """Write other numbers to where all weights lie."""
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(-0.5)


def gradients(layer: Any, x: Tensor, which: int, **asked: Any) -> Sequence[Tensor]:
    """Return the gradients of one of a layer's results: output, h, c."""
    output, states = layer(x)
    result = (output, *states)[which]
    leaves = [x, *layer.parameters()]
    slope = torch.linspace(-1, 1, result.numel(), dtype=x.dtype).view_as(result)
    if asked.get("is_grads_batched"):
        slope = torch.stack([slope, slope.square()])
    return torch.autograd.grad(result, leaves, slope, **asked)


def test_what_a_layer_puts_out_may_be_written_to():
    """By an activation in place, for one; no backward pass follows."""
    layer = layer_of("LSTM", batch_first=True)
    for _ in range(3):
        output, _ = layer(torch.randn(3, 4, 5))
        assert torch.equal(torch.relu_(output.clone()), torch.relu_(output))


def test_what_was_kept_may_come_back_in_another_layout():
    """Hooks of saved tensors move them, and may turn them."""
    layer, x = layer_of("LSTM"), torch.randn(4, 3, 5)

    def turned(value: Tensor) -> Tensor:
        return value.mT.contiguous() if value.dim() > 1 else value

    def back(value: Tensor) -> Tensor:
        return value.mT if value.dim() > 1 else value

    for _ in range(3):
        expected = torch.autograd.grad(layer(x)[0].sum(), [*layer.parameters()])
        with torch.autograd.graph.saved_tensors_hooks(turned, back):
            loss = layer(x)[0].sum()
        found = torch.autograd.grad(loss, [*layer.parameters()])
        assert all(map(torch.equal, found, expected))


def test_a_backward_pass_may_be_looked_at():
    """Something traces it, or the gradient that arrives is no plain tensor."""
    layer, x = layer_of("LSTM"), torch.randn(4, 3, 5)
    leaves = [*layer.parameters()]
    slope, other = torch.randn(4, 3, 12), torch.randn(4, 3, 12)

    def pulled(output: Tensor, slope: Tensor) -> Sequence[Tensor]:
        return torch.autograd.grad(output, leaves, slope, retain_graph=True)

    for _ in range(3):
        output, _ = layer(x)
        recorded = make_fx(partial(pulled, output))(slope)
        pair: Any = pulled(output, TwoTensor(other, other.clone()))
        expected = pulled(output, other)
        for result in (recorded(other), [each.a for each in pair]):
            for ours, theirs in zip(result, expected, strict=True):
                assert error(ours, theirs) <= TOLERANCES["c", "float32"].bound


@pytest.mark.parametrize("name", DROP_INS)
def test_gradients_are_added_up(name: str):
    """No two weights' gradients share memory: torch adds to them and scales them."""
    layer = layer_of(name, num_layers=2)
    x = torch.randn(4, 3, 5)
    once = torch.autograd.grad(layer(x)[0].square().sum(), [*layer.parameters()])
    for _ in range(4):
        for _ in range(2):
            layer(x)[0].square().sum().backward()
        for weight, gradient in zip(layer.parameters(), once, strict=True):
            assert weight.grad is not None
            weight.grad.mul_(0.5)
            assert error(weight.grad, gradient) <= TOLERANCES["c", "float32"].bound
            weight.grad.mul_(2.0)
        for weight, gradient in zip(layer.parameters(), once, strict=True):
            assert weight.grad is not None
            assert error(weight.grad, 2 * gradient) <= TOLERANCES["c", "float32"].bound
        layer.zero_grad()


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("batch_first", [False, True])
def test_each_result_has_gradients_of_its_own(which: int, batch_first: bool):
    """Where no gradient arrives, it is 0."""
    layer = layer_of("LSTM", num_layers=2, batch_first=batch_first)
    x = torch.randn(4, 3, 5, requires_grad=True)
    for _ in range(3):
        found = gradients(layer, x, which)
        with never_bare():
            expected = gradients(layer, x, which)
        assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("name", ["LSTM", "lif"])
def test_second_and_batched_derivatives_are_those_of_any_call(name: str):
    """Through two layers; one cell's values are vectors, the other's scalars."""
    layer = layer_of(name, num_layers=2).double()
    x = torch.randn(4, 3, layer.input_size, dtype=torch.float64, requires_grad=True)

    def second() -> Sequence[Tensor]:
        first = gradients(layer, x, 0, create_graph=True, allow_unused=True)
        total = torch.stack([g.square().sum() for g in first if g is not None]).sum()
        leaves = [x, *layer.parameters()]
        return torch.autograd.grad(total, leaves, allow_unused=True)

    def batched() -> Sequence[Tensor]:
        return gradients(layer, x, 0, is_grads_batched=True, allow_unused=True)

    for each in (second, batched):
        found = each()
        with never_bare():
            expected = each()
        for ours, theirs in zip(found, expected, strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                assert error(ours, theirs) <= TOLERANCES["c", "float64"].bound


def test_two_weights_may_be_one():
    """Gradients of both names are added."""
    layer = layer_of("LSTM")
    layer.weight_ih_l0 = layer.weight_hh_l0
    layer.input_size = 12
    assert_as_ever(layer, torch.randn(4, 3, 12, requires_grad=True))


@pytest.mark.parametrize(
    "turned",
    [
        lambda x: x.transpose(0, 2).contiguous().transpose(0, 2),
        lambda x: torch.stack([x, x], -1)[..., 0],
        lambda x: x[:1].expand(4, -1, -1),
    ],
)
def test_input_may_lie_in_any_way(turned: Callable[[Tensor], Tensor]):
    """Kernels read rows whose entries lie side by side; others are copied."""
    layer, x = layer_of("LSTM"), turned(torch.randn(4, 3, 5))
    assert_as_ever(layer, x.requires_grad_())


def test_first_states_may_be_one_tensor_or_parts_of_one():
    """Nobody can tell which of two an address points into."""
    layer, x = layer_of("LSTM"), torch.randn(4, 3, 5, requires_grad=True)
    h = torch.randn(1, 3, 12)
    assert_as_ever(layer, x, (h, h))
    assert_as_ever(layer, x, torch.randn(2, 1, 3, 12).unbind())


def zoneout(layer: Any) -> None:
    """Let the states keep some of what they were."""
    layer.zoneout = 0.4


def batch_first(layer: Any) -> None:
    """Let the batch stand first."""
    layer.batch_first = True


def recompute(layer: Any) -> None:
    """Keep less for the backward pass."""
    layer.memory = "recompute"


def in_training(layer: Any) -> None:
    """Let a share of the weights be dropped, all of it."""
    layer.weight_dropout = 0.9
    layer.train()


def doubled(layer: Any) -> None:
    """Compute in float64."""
    layer.double()


@pytest.mark.parametrize(
    "change", [zoneout, batch_first, recompute, in_training, doubled]
)
@pytest.mark.parametrize("name", ["lstm", "LSTM"])
def test_what_is_set_anew_holds_at_once(name: str, change: Callable[[Any], None]):
    """A layer may be changed between two calls."""
    layer, x = layer_of(name, num_layers=2), torch.randn(4, 4, 5)
    before = layer(x)[0]
    change(layer)
    x = x.to(next(layer.parameters()).dtype)
    torch.manual_seed(0)
    found = layer(x)[0]
    with never_bare():
        torch.manual_seed(0)
        expected = layer(x)[0]
    assert torch.equal(found, expected)
    same = found.dtype == before.dtype and torch.equal(found, before)
    assert same == (change is recompute)


def test_numbers_of_another_dtype_in_the_same_memory_are_refused():
    """What lies where the weights lay are no weights, though it is as large."""
    layer, x = layer_of("lstm"), torch.randn(4, 4, 5)
    layer.requires_grad_(False)
    for _ in range(4):
        layer(x)
    weight = layer.U_i_l0
    weight.data = weight.data.view(torch.int32)
    with pytest.raises(TensorError, match=r"U_i.*int32"):
        layer(x)


def halved(layer: Any) -> None:
    """Take away half of the units, as pruning by hand does."""
    layer.hidden_size //= 2
    half = layer.hidden_size
    for name, weight in list(layer.named_parameters()):
        rows = [part[:half] for part in weight.detach().chunk(4)]
        value = torch.cat(rows)
        value = value[:, :half] if name.startswith("weight_hh") else value
        setattr(layer, name, nn.Parameter(value.contiguous()))


def without_bias(layer: Any) -> None:
    """Leave the biases out."""
    layer.bias = False


@pytest.mark.parametrize("change", [halved, without_bias])
def test_a_layer_may_be_cut(change: Callable[[Any], None]):
    """Sizes are looked at, whatever was called before."""
    layer, fresh = layer_of("LSTM"), layer_of("LSTM")
    x = torch.randn(4, 2, 5)
    before = layer(x)[0]
    for each in (layer, fresh):
        change(each)
    found = layer(x)[0]
    with never_bare():
        assert torch.equal(found, fresh(x)[0])
    assert not torch.equal(found, before[..., : found.shape[-1]])


def test_another_level_holds_at_once(monkeypatch: pytest.MonkeyPatch):
    """The environment says which instructions kernels take."""
    made: list[bool] = []
    of = bare._bare_of
    monkeypatch.setattr(bare, "_bare_of", lambda one: made.append(True) or of(one))
    layer, x = layer_of("gru"), torch.randn(4, 2, 5)
    for level in ("plain", "plain", ""):
        monkeypatch.setenv(VARIABLE, level)
        layer(x)
    assert len(made) == 2


def test_shares_of_zoneout_may_be_set_in_place():
    """A mapping is not looked into, so such a layer's calls are never bare."""
    layer, x = layer_of("lstm", zoneout={"h": 0.0}), torch.randn(4, 2, 5)
    before = layer(x)[0]
    layer.zoneout["h"] = 0.5
    assert not torch.equal(layer(x)[0], before)


def test_a_drop_in_takes_another_backend_at_once(monkeypatch: pytest.MonkeyPatch):
    """Its backend is an attribute."""
    calls, layer = counted(monkeypatch), layer_of("LSTM")
    x = torch.randn(4, 2, 5)
    layer(x)
    layer.backend = "torch"
    layer(x)
    assert calls == [True]


def test_a_replaced_weight_is_the_one_that_is_read():
    """By a Parameter of its own, by a function, and by what is computed."""
    layer, x = layer_of("lstm"), torch.randn(4, 2, 5)
    layer(x)
    weights = {name: 0.5 * value for name, value in layer.state_dict().items()}
    other = layer_of("lstm")
    other.load_state_dict(weights)
    expected = other(x)[0]
    assert torch.equal(torch.func.functional_call(layer, weights, x)[0], expected)
    layer.W_i_l0 = nn.Parameter(weights["W_i_l0"])
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], other(x)[0])
    nn.utils.parametrize.register_parametrization(layer, "U_f_l0", nn.Tanh())
    assert not torch.equal(layer(x)[0], other(x)[0])


def test_what_does_not_fit_is_told_as_ever():
    """The errors are those of the call that looks at everything."""
    layer, x = layer_of("lstm"), torch.randn(4, 2, 5)
    layer(x)
    states = [torch.zeros(1, 2, 12), torch.zeros(1, 2, 12)]
    for wrong in (x[..., :4], x[:0], x[0, 0]):
        with pytest.raises(ShapeError):
            layer(wrong)
    with pytest.raises(DtypeError):
        layer(x.double())
    with pytest.raises(ShapeError):
        layer(x, (states[0], states[1][:, :1]))
    with pytest.raises(ShapeError):
        layer(x, states[0])
    with pytest.raises(DtypeError):
        layer(x, (states[0], states[1].double()))
    with pytest.raises(DtypeError, match="on meta, the layer on cpu"):
        layer(x.to("meta"))
    for name in ("eps_l0", "eye_l0"):
        constant = layer_of("antisymmetric")
        for _ in range(4):
            constant(x)
        getattr(constant, name).requires_grad_()
        with pytest.raises(TensorError, match="no gradient of a constant"):
            constant(x)


def test_unbatched_input_and_empty_batches_go_through():
    """``[T, I]``, and no rows at all."""
    layer, x = layer_of("GRU"), torch.randn(4, 1, 5)
    expected = layer(x)[0]
    assert torch.equal(layer(x[:, 0])[0], expected[:, 0])
    assert layer(x[:, :0])[0].shape == (4, 0, 12)


def test_layers_that_are_gone_are_forgotten():
    """What is kept of a layer goes with it."""
    layer = layer_of("lstm")
    layer(torch.randn(4, 2, 5))
    assert layer in bare._known
    before = len(bare._known)
    del layer
    assert len(bare._known) == before - 1


def rested(layer: Any, x: Tensor) -> Any:
    """Call a layer without gradients until its weights are no longer looked through."""
    with torch.no_grad():
        return [layer(x) for _ in range(4)][-1]


def alone(layer: Any, x: Tensor) -> Any:
    """Return what a call gives that is not bare."""
    with torch.no_grad(), never_bare():
        return layer(x)


def matrix_of(layer: Any) -> str:
    """Return what a layer's first recurrent matrix is called."""
    return "weight_hh_l0" if hasattr(layer, "weight_hh_l0") else "U_l0"


def in_place(layer: Any) -> None:
    """Write other numbers to where a weight lies."""
    with torch.no_grad():
        getattr(layer, matrix_of(layer)).mul_(-0.5)


def moved(layer: Any) -> None:
    """Let a weight lie elsewhere."""
    weight = getattr(layer, matrix_of(layer))
    weight.data = weight.data * 0.5


def turned_round(layer: Any) -> None:
    """Let a weight lie where it lay, the other way round."""
    weight = getattr(layer, matrix_of(layer))
    weight.data = weight.data.t()


def shared(layer: Any) -> None:
    """Put other memory below all weights."""
    layer.share_memory()
    in_place(layer)


def replaced(layer: Any) -> None:
    """Put another Parameter there."""
    name = "bias_hh_l0" if hasattr(layer, "bias_hh_l0") else "b_l0"
    setattr(layer, name, nn.Parameter(torch.ones(12)))


def computed(layer: Any) -> None:
    """Let a weight be computed anew at every call."""
    name = matrix_of(layer)
    nn.utils.parametrizations.weight_norm(layer, name)
    with torch.no_grad():
        layer.parametrizations[name].original0.mul_(2)


def frozen(layer: Any) -> None:
    """Ask no gradient of a weight any more."""
    getattr(layer, matrix_of(layer)).requires_grad_(False)
    in_place(layer)


def swapped(layer: Any) -> None:
    """Swap what all weights are for something else; torch does so in conversions."""
    for weight in list(layer.parameters()):
        swap_tensors(weight, nn.Parameter(0.5 * weight.detach()))


CHANGES = [in_place, moved, turned_round, shared, replaced, computed, frozen, swapped]


LAYERS = ["RNN", "antisymmetric", "clockwork"]
"""Of all but the first, torch computes the recurrent matrix at every call."""


def two_layers(name: str, change: Callable[[Any], None]) -> Any:
    """Return what a change is tried on: of torch.nn's own no weight can be swapped."""
    is_torchs = name == "RNN" and change is swapped
    return layer_of("elman" if is_torchs else name, num_layers=2)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_weight_that_changes_is_seen(name: str, change: Callable[[Any], None]):
    """However long a layer was called with the one before."""
    layer, x = two_layers(name, change), torch.randn(4, 2, 5)
    before = rested(layer, x)[0]
    change(layer)
    expected = alone(layer, x)[0]
    assert not torch.equal(expected, before)
    with torch.no_grad():
        assert all(torch.equal(layer(x)[0], expected) for _ in range(4))


def trained(layer: Any, x: Tensor, hx: Any = None) -> list[Tensor]:
    """Return the output of a call, and the gradients of all that asks for one."""
    output, _ = layer(x, hx)
    leaves = [x, *layer.parameters(), *([] if hx is None else hx)]
    asking = [each for each in leaves if each.requires_grad]
    slope = torch.arange(output.numel(), dtype=output.dtype).view_as(output).sin()
    return [output, *torch.autograd.grad(output, asking, slope)]


def trained_alone(layer: Any, x: Tensor, hx: Any = None) -> list[Tensor]:
    """Return the same of calls that are not bare."""
    with never_bare():
        return trained(layer, x, hx)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_training_sees_a_weight_that_changes(
    name: str, change: Callable[[Any], None], asks: bool
):
    """Its gradients are those of the weights as they are, also with evaluation between.

    No part is looked through in full while nothing changes.
    """
    layer, x = two_layers(name, change), torch.randn(4, 2, 5, requires_grad=asks)
    found = trained(layer, x)
    for _ in range(4):
        rested(layer, x)
        trained(layer, x)
    with mock.patch.object(bare.Bare, "call"), mock.patch.object(Whole, "gradients"):
        assert all(map(torch.equal, trained(layer, x), found))
    change(layer)
    expected = trained_alone(layer, x)
    assert not torch.equal(expected[0], found[0])
    for _ in range(4):
        found = trained(layer, x)
        assert len(found) == len(expected)
        assert all(map(torch.equal, found, expected))


def more_threads(layer: Any) -> None:
    """Set another number of threads."""
    torch.set_num_threads(torch.get_num_threads() + 1)


@pytest.mark.parametrize("change", [moved, more_threads])
def test_training_sees_what_changes_before_it_goes_back(change: Callable[[Any], None]):
    """A weight may be moved, or the number of threads set, between the two parts."""
    layer, x = layer_of("RNN"), torch.randn(4, 2, 5)
    for _ in range(5):
        trained(layer, x)
    slope, threads = torch.randn(4, 2, 12), torch.get_num_threads()

    def gradients() -> Sequence[Tensor]:
        held = layer.weight_hh_l0.data
        output, _ = layer(x)
        try:
            change(layer)
            return torch.autograd.grad(output, [*layer.parameters()], slope)
        finally:
            torch.set_num_threads(threads)
            layer.weight_hh_l0.data = held

    with never_bare():
        expected = gradients()
    assert all(map(torch.equal, gradients(), expected))


@pytest.mark.parametrize("calls", [0, 5])
@pytest.mark.parametrize("name", ["LSTM", "gru"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_layer_that_is_converted_before_it_goes_back_is_told(
    name: str, calls: int, dtype: torch.dtype
):
    """Its weights are no longer of the dtype that was kept."""
    layer, x = layer_of(name), torch.randn(4, 2, 5)
    for _ in range(calls):
        trained(layer, x)
    output, _ = layer(x)
    layer.to(dtype)
    with pytest.raises(TensorError, match=f"takes torch.float32 .* found {dtype}"):
        output.sum().backward()


@pytest.mark.parametrize("which", ["weights", "first states"])
def test_what_hooks_give_back_is_what_is_read(which: str):
    """They may keep saved tensors in fewer digits, and know a layer's own weights."""
    layer, x = layer_of("RNN"), torch.randn(4, 2, 5)
    leaves = [*layer.parameters()]
    own = {leaf.data_ptr(): leaf for leaf in leaves}

    def back(value: Tensor) -> Tensor:
        if value.numel() == {"weights": 12 * 12, "first states": 2 * 12}[which]:
            return value + 0.25
        return own.get(value.data_ptr(), value)

    def gradients() -> Sequence[Tensor]:
        with torch.autograd.graph.saved_tensors_hooks(lambda value: value, back):
            output, _ = layer(x)
        slope = torch.arange(output.numel(), dtype=output.dtype).view_as(output).sin()
        return torch.autograd.grad(output, leaves, slope)

    with never_bare():
        plain, expected = trained(layer, x), gradients()
    for _ in range(5):
        assert all(map(torch.equal, trained(layer, x), plain))
    for _ in range(3):
        assert all(map(torch.equal, gradients(), expected))
        assert all(map(torch.equal, trained(layer, x), plain))


def test_weights_that_ask_again_have_gradients():
    """As when the last layers are trained first, and all of them after."""
    layer, x = layer_of("lstm"), torch.randn(4, 2, 5)
    layer.requires_grad_(False)
    for _ in range(4):
        assert not layer(x)[0].requires_grad
    layer.requires_grad_(True)
    expected = trained_alone(layer, x)
    for _ in range(4):
        assert all(map(torch.equal, trained(layer, x), expected))


@pytest.mark.parametrize("is_leaf", [False, True])
def test_states_may_be_cut_off_before_the_way_back(is_leaf: bool):
    """As some do who train on pieces; at the first call and at one that repeats."""
    layer, x = layer_of("GRU"), torch.randn(4, 2, 5)
    leaves = [*layer.parameters()]
    expected = torch.autograd.grad(layer(x)[0].sum(), leaves)
    for _ in range(5):
        first = torch.zeros(1, 2, 12, requires_grad=True)
        first = first if is_leaf else first * 1
        output, _ = layer(x, first)
        first.requires_grad_(False) if is_leaf else first.detach_()
        layer.zero_grad()
        output.sum().backward()
        for leaf, gradient in zip(leaves, expected, strict=True):
            assert leaf.grad is not None
            assert torch.equal(leaf.grad, gradient)


def test_each_choice_of_results_goes_back_again():
    """A step may go back twice: from the output, and from the last states."""
    layer, x = layer_of("LSTM"), torch.randn(4, 2, 5)
    slopes = torch.randn(4, 2, 12), torch.randn(1, 2, 12)

    def both() -> list[Sequence[Tensor]]:
        return [gradients_of(layer, layer(x), which, slopes[which]) for which in (0, 1)]

    with never_bare():
        expected = both()
    for _ in range(5):
        both()
    with mock.patch.object(Whole, "gradients"):
        found = both()
    for ours, theirs in zip(found, expected, strict=True):
        assert all(map(torch.equal, ours, theirs))


def gradients_of(layer: Any, results: Any, which: int, slope: Tensor) -> list[Tensor]:
    """Return the gradients of all weights from the output, or from the last h."""
    result = (results[0], results[1][0])[which]
    return [*torch.autograd.grad(result, [*layer.parameters()], slope)]


def test_each_choice_of_leaves_goes_back_again():
    """Of one weight after the other, of all, and where slopes have slopes too."""
    layer, x = layer_of("LSTM"), torch.randn(4, 2, 5)
    leaves, slope = [*layer.parameters()], torch.randn(4, 2, 12)
    choices = [*([leaf] for leaf in leaves), leaves]

    def slopes(graph: bool) -> list[Tensor]:
        output, _ = layer(x)
        return [
            each
            for asked in choices
            for each in torch.autograd.grad(
                output, asked, slope, retain_graph=True, create_graph=graph
            )
        ]

    with never_bare():
        expected = slopes(graph=False)
    for _ in range(4):
        slopes(graph=False)
    for graph in (False, True):
        with mock.patch.object(Whole, "gradients"):
            found = slopes(graph)
        assert all(map(torch.equal, found, expected))
        assert all(each.requires_grad == graph for each in found)


def test_many_slopes_at_once_go_back_of_a_call_that_rests():
    """A tensor of them has no memory that a kernel reads."""
    layer, x = layer_of("GRU"), torch.randn(4, 2, 5)
    leaves, slopes = [*layer.parameters()], torch.randn(3, 4, 2, 12)
    for _ in range(5):
        trained(layer, x)
    for _ in range(3):
        found = torch.autograd.grad(layer(x)[0], leaves, slopes, is_grads_batched=True)
        single = [torch.autograd.grad(layer(x)[0], leaves, slope) for slope in slopes]
        for ours, theirs in zip(found, zip(*single, strict=True), strict=True):
            bound = TOLERANCES["c", "float32"].bound
            assert error(ours, torch.stack(theirs)) <= bound


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("learns", [False, True])
def test_hooks_may_change_first_states_alone(single: bool, learns: bool):
    """They give frozen weights back as they are; those of one tensor see no other."""
    layer = layer_of("GRU").requires_grad_(learns)
    x = torch.randn(4, 2, 5, requires_grad=True)

    def more(value: Tensor) -> Tensor:
        return value + 0.25 if value.numel() == 2 * 12 else value

    def step(hooked: bool) -> Tensor:
        hooks = torch.autograd.graph.saved_tensors_hooks(lambda value: value, more)
        with hooks if hooked and not single else nullcontext():
            output, _ = layer(x)
        if hooked and single:
            saved = output.grad_fn._raw_saved_tensors[1]
            saved.register_hooks(lambda value: value, more)
        return torch.autograd.grad(output.square().sum(), x)[0]

    with never_bare():
        plain = step(hooked=False)
    changed = step(hooked=True)
    assert not torch.equal(plain, changed)
    for _ in range(5):
        assert torch.equal(step(hooked=False), plain)
        assert torch.equal(step(hooked=True), changed)


def test_lengths_without_end_are_run_all_the_same():
    """Only so many forms rest; the others go the way of every call."""
    layer = layer_of("gru")
    for _ in range(2):
        for steps in range(1, bare.MOST_RESTING + 4):
            x = torch.randn(steps, 1, 5)
            assert torch.equal(rested(layer, x)[0], alone(layer, x)[0])
    known = bare._known[layer].bare
    assert known is not None
    assert len(known._resting) == bare.MOST_RESTING


@pytest.mark.parametrize("asks", [False, True])
def test_states_may_be_given_to_calls_that_repeat(
    asks: bool, monkeypatch: pytest.MonkeyPatch
):
    """As in training that is cut into pieces; other ones at every call, in any form."""
    layer, x = layer_of("LSTM"), torch.randn(4, 2, 5)

    def states() -> list[Tensor]:
        return [torch.randn(1, 2, 12).requires_grad_(asks) for _ in range(2)]

    def both(hx: list[Tensor]) -> None:
        expected = trained_alone(layer, x, hx)
        assert all(map(torch.equal, trained(layer, x, hx), expected))

    for _ in range(5):
        both(states())
    calls = counted(monkeypatch)
    both(states())
    assert calls == []
    odd = [each.detach().repeat(1, 1, 2)[..., ::2] for each in states()]
    both([each.requires_grad_(asks) for each in odd])
    assert calls == [True]
    with pytest.raises(ShapeError):
        layer(x, ())
    with pytest.raises(ShapeError):
        layer(x, (torch.zeros(1, 3, 12), torch.zeros(1, 3, 12)))


class Labelled(Tensor):
    """A class of somebody's own."""


def test_a_weight_of_another_class_is_seen():
    """What comes out is of that class, also where its numbers lie where they lay."""
    layer, x = layer_of("elman").requires_grad_(False), torch.randn(4, 2, 5)
    assert type(rested(layer, x)[0]) is Tensor
    layer._parameters["U_l0"] = layer.U_l0.detach().as_subclass(Labelled)
    assert type(rested(layer, x)[0]) is type(alone(layer, x)[0]) is Labelled


def test_a_sparse_weight_is_told_as_ever():
    """It has no memory that one could ask for."""
    layer, x = layer_of("elman").requires_grad_(False), torch.randn(4, 2, 5)
    rested(layer, x)
    layer.U_l0 = nn.Parameter(layer.U_l0.to_sparse(), requires_grad=False)
    with pytest.raises(TensorError, match="sparse"):
        layer(x)


def test_a_layer_without_weights_has_a_dtype():
    """And a device; both hold at once."""
    text = "input x [input_size]\nstate h [input_size]\noutput h'\nh' = tanh(x + h)"
    layer, x = cw.nn.Recurrent(text, 5, 5), torch.randn(4, 2, 5)
    rested(layer, x)
    with torch.no_grad(), pytest.raises(DtypeError, match="float32"):
        layer.double()(x)


def test_a_weight_that_moves_while_torch_computes_is_seen():
    """Another thread may have its turn meanwhile, and put other memory below one."""
    layer, x = layer_of("antisymmetric"), torch.randn(4, 2, 5)
    expected = rested(layer, x)[0]
    values, others = interpret.Weights.values, list[Tensor]()

    def moving(*args: Any) -> list[Tensor]:
        found = values(*args)
        layer.W_l0.share_memory_()
        others.extend(torch.ones(12, 5) for _ in range(50))
        return found

    with mock.patch.object(interpret.Weights, "values", moving), torch.no_grad():
        assert torch.equal(layer(x)[0], expected)


def test_what_is_computed_may_lie_in_another_layout():
    """What torch computes of weights is asked for its form at every call."""
    layer, x = layer_of("antisymmetric"), torch.randn(4, 2, 5)
    expected = rested(layer, x)[0]
    values = interpret.Weights.values

    def turned(*args: Any) -> list[Tensor]:
        return [value.t().contiguous().t() for value in values(*args)]

    with mock.patch.object(interpret.Weights, "values", turned), torch.no_grad():
        assert torch.equal(layer(x)[0], expected)


@pytest.mark.parametrize("name", ["gru", "GRU", "janet", "antisymmetric"])
def test_calls_that_repeat_look_at_no_weight_in_full(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """Nor do they where the input is another one of the same form."""
    layer, x = layer_of(name), torch.randn(4, 2, 5)
    if name == "gru":
        weight = layer.U_r_l0.detach()
        del layer.U_r_l0
        layer.register_buffer("U_r_l0", weight)
    rested(layer, x)
    calls = counted(monkeypatch)
    with torch.no_grad():
        assert torch.equal(layer(-x)[0], alone(layer, -x)[0])
    assert calls == []
    layer(x)
    assert calls == [True]


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x[:3],
        lambda x: x[:, :1],
        lambda x: x.repeat(1, 3, 1),
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: x.repeat(1, 1, 2)[..., 3:8],
        lambda x: x.requires_grad_(),
    ],
    ids=["steps", "one row", "rows", "other strides", "a view", "asks for a gradient"],
)
def test_another_form_of_input_is_seen(other: Callable[[Tensor], Tensor]):
    """What was found out for one form is no other's."""
    layer, x = layer_of("lstm", num_layers=2), torch.randn(4, 2, 5)
    rested(layer, x)
    x = other(x)
    with torch.no_grad():
        output, (h, c) = layer(x)
    expected, (last, cell) = alone(layer, x)
    assert all(map(torch.equal, (output, h, c), (expected, last, cell)))


def test_threads_may_call_one_layer_at_once():
    """Each gets the outputs of its own input."""
    layer, xs = layer_of("lstm"), torch.randn(4, 6, 2, 5)
    expected = [alone(layer, x)[0] for x in xs]
    rested(layer, xs[0])
    right: list[bool] = []

    def call(which: int) -> None:
        with torch.no_grad():
            found = (layer(xs[which])[0] for _ in range(300))
            right.extend(torch.equal(each, expected[which]) for each in found)

    threads = [Thread(target=call, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(right) == 4 * 300
    assert all(right)


def test_what_rests_keeps_nothing_alive():
    """Neither an input nor a layer that one of its weights knows."""
    layer, x = layer_of("LSTM"), torch.randn(4, 2, 5)
    layer.weight_hh_l0.owner = layer
    rested(layer, x)
    gone = weakref.ref(x), weakref.ref(layer)
    del x, layer
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_other_threads_and_modes_are_seen(monkeypatch: pytest.MonkeyPatch):
    """A layer that rests follows torch's number of threads, and its modes."""
    layer, x = layer_of("lstm"), torch.randn(4, 2, 5)
    expected = rested(layer, x)[0]
    calls, threads = counted(monkeypatch), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with torch.no_grad():
            assert torch.equal(layer(x)[0], expected)
    finally:
        torch.set_num_threads(threads)
    assert calls == [True]
    with torch.inference_mode():
        found = [layer(x)[0] for _ in range(4)][-1]
    assert found.is_inference()
    with torch.no_grad():
        found = layer(x)[0]
    assert not found.is_inference()
    assert torch.equal(found, expected)
    assert layer(x)[0].requires_grad
