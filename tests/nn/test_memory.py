"""Layers with ``memory="recompute"``: whatever a call asks for, the same bits."""

import pickle
from copy import deepcopy
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.utils import rnn
from torch.utils._pytree import tree_leaves

import cellwright as cw
from cellwright.backends.c import segments
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn.errors import OptionError
from strategies import same_bits

T, B = 17, 3
CHUNK = 2
MASK = torch.rand(T, B, generator=torch.Generator().manual_seed(1)) > 0.3
RESET = torch.rand(T, B, generator=torch.Generator().manual_seed(2)) > 0.8
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lengths": {"lengths": [T, 5, 0]},
    "mask and reset": {"mask": MASK, "reset": RESET},
    "all states": {"return_states": "all"},
    "trace": {"trace": ("h'",)},
    "all of it": {"mask": MASK, "reset": RESET, "trace": ("h'",), "lengths": [9, T, 4]},
}
LAYERS: dict[str, dict[str, Any]] = {
    "LSTM": {"num_layers": 2, "bidirectional": True, "proj_size": 3},
    "GRU": {"num_layers": 2, "zoneout": 0.2, "variational_dropout": 0.3},
    "RNN": {"bidirectional": True, "weight_dropout": 0.3},
    "lstm": {"zoneout": {"h": 0.1, "c": 0.4}, "variational_dropout": 0.2},
    "gru": {"num_layers": 2, "dropout": 0.4, "bidirectional": True},
    "slstm": {"heads": 2},
    "rhn": {"depth": 2, "variational_dropout": 0.2},
}
Backend = Literal["c", "reference"]


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two steps be a chunk, so that a short sequence has many segments."""
    monkeypatch.setattr(segments, "CHUNK_ROWS", CHUNK * B)
    # Graphs of other tests' chunks are no longer right.
    torch._dynamo.reset()


def made(kind: Any, **options: Any) -> Any:
    """Return a drop-in or a Recurrent with 4 inputs and units, in float64."""
    torch.manual_seed(3)
    options = {"dtype": torch.float64, **options}
    if kind in ("LSTM", "GRU", "RNN"):
        return getattr(cw.nn, kind)(4, 4, **options)
    return cw.nn.Recurrent(kind, 4, 4, **options)


def sequence(*shape: int) -> Tensor:
    """Return a random tensor with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def outcome(layer: Any, run: Any = None, **asked: Any) -> list[Tensor]:
    """Return all that a call returns, and all gradients for fixed cotangents."""
    x = sequence(T, B, 4).requires_grad_()
    torch.manual_seed(5)
    values = tree_leaves((layer if run is None else run)(x, **asked))
    pulls = [sequence(*value.shape) for value in values]
    wrt = [x, *layer.parameters()]
    grads = torch.autograd.grad(values, wrt, pulls, materialize_grads=True)
    return [value.detach() for value in (*values, *grads)]


def both(kind: Any, options: dict[str, Any], **asked: Any) -> list[list[Tensor]]:
    """Return what comes of both modes."""
    modes = ("store", "recompute")
    return [outcome(made(kind, memory=mode, **options), **asked) for mode in modes]


# Each pair is another kernel, so every layer has half of the calls; every call meets a
# layer in two directions and one with zoneout.
@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (kind, call)
        for i, kind in enumerate(LAYERS)
        for j, call in enumerate(CALLS)
        if (i // 2 + j) % 2 == 0
    ],
)
def test_all_that_a_call_can_ask_for_has_the_same_bits(kind: str, call: str):
    """What chance drew for the forward pass is what the backward pass sees."""
    # A highway has h after each of its steps, and its name with a number.
    asked = dict(CALLS[call])
    if kind == "rhn":
        asked.pop("trace", None)
    stored, anew = both(kind, {"backend": "c", **LAYERS[kind]}, **asked)
    assert len(stored) == len(anew)
    assert all(map(same_bits, anew, stored))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["LSTM", "gru"])
def test_the_reference_has_it_too(kind: str, call: str):
    """Within rounding: products of fewer steps at once are other sums."""
    options = {"backend": "reference", **LAYERS[kind]}
    stored, anew = both(kind, options, **CALLS[call])
    bound = TOLERANCES["reference", "float64"].bound
    assert max(map(error, anew, stored)) <= bound


def saved(layer: Any, x: Tensor) -> int:
    """Return how many numbers wait for the backward pass."""
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        layer(x)
    return sum(found.values())


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_less_is_kept(backend: Backend):
    """For either backend; a mode that was ignored would keep the same."""
    x = sequence(400, B, 4)
    stored, anew = (
        saved(made("lstm", backend=backend, memory=mode), x)
        for mode in ("store", "recompute")
    )
    assert anew < stored / 2


def test_transforms_see_through_both_backends():
    """They cannot look into a checkpoint, so there the reference keeps everything."""
    layer = made("lstm", backend="reference", memory="recompute")
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights: dict[str, Tensor]) -> Tensor:
        output = torch.func.functional_call(layer, weights, (sequence(T, B, 4),))[0]
        return output.pow(2).sum()

    found: Any = torch.func.grad(loss)(weights)
    layer(sequence(T, B, 4))[0].pow(2).sum().backward()
    bound = TOLERANCES["reference", "float64"].bound
    for name, p in layer.named_parameters():
        assert error(found[name], p.grad) <= bound


def test_packed_sequences_have_the_same_bits():
    """Their padding is a length, in either mode."""

    def packed(memory: str) -> list[Tensor]:
        layer = made("GRU", backend="c", memory=memory)
        pack = rnn.pack_padded_sequence(sequence(T, B, 4), [T, 9, 2])
        output, state = layer(pack)
        grads = torch.autograd.grad(output.data.sum(), list(layer.parameters()))
        return [output.data, state, *grads]

    assert all(map(same_bits, packed("recompute"), packed("store")))


def test_further_inputs_have_the_same_bits():
    """Phased LSTM has a time, which is cut as x is."""
    further = {"time": sequence(T, B).abs().cumsum(0)}
    stored, anew = both("phased_lstm", {"backend": "c"}, **further)
    assert all(map(same_bits, anew, stored))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("kind", ["LSTM", "slstm"])
def test_compiles_as_one_graph_with_the_same_bits(kind: str):
    """A graph for one mode is none for the other, which is set later."""
    layer = made(kind, num_layers=2, zoneout=0.0)
    counter = CompileCounterWithBackend("aot_eager")
    run = torch.compile(layer, fullgraph=True, backend=counter)
    expected = outcome(layer)
    assert all(map(same_bits, outcome(layer, run), expected))
    layer.memory = "recompute"
    assert all(map(same_bits, outcome(layer, run), expected))
    assert counter.frame_count == 2


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_one_graph_serves_a_range_of_lengths():
    """The length of a segment is found by comparisons, which hold for more than one."""
    layer = made("lstm", memory="recompute")
    counter = CompileCounterWithBackend("aot_eager")
    run = torch.compile(layer, fullgraph=True, backend=counter, dynamic=True)
    seen: list[int] = []
    for steps in (200, 210, 230):
        x = sequence(steps, B, 4)
        loss, expected = run(x)[0].sum(), layer(x)[0].sum()
        wrt = list(layer.parameters())
        pairs = [torch.autograd.grad(value, wrt) for value in (loss, expected)]
        assert all(map(same_bits, *pairs))
        seen.append(counter.frame_count)
    assert seen[0] == seen[-1]


@pytest.mark.parametrize("strict", [True, False])
def test_export_records_any_number_of_steps(strict: bool):
    """An exported program gives no gradients, so that it keeps nothing in any mode."""
    model = made("LSTM", memory="recompute").eval()
    axes = {0: torch.export.Dim("T", min=2), 1: torch.export.Dim("B", min=2)}
    program = torch.export.export(
        model, (sequence(3, 2, 4),), dynamic_shapes=(axes,), strict=strict
    )
    x = sequence(70, 5, 4)
    assert same_bits(program.module()(x)[0], model(x)[0])


@pytest.mark.parametrize("kind", ["GRU", "gru"])
def test_the_report_says_which_mode_runs(kind: str):
    """In a column of its own, for every layer of a converted model too."""
    layer = made(kind, memory="recompute")
    assert [row.memory for row in layer.backend_report().rows] == ["recompute"]
    assert "  recompute  " in str(layer.backend_report())
    assert "memory" in repr(layer)
    layer.memory = "store"
    assert "  store   " in str(layer.backend_report())
    assert "memory" not in repr(layer)


def test_without_a_kernel_a_drop_in_runs_by_the_reference():
    """Torch's own path keeps everything, and nobody is told that it does not."""
    layer = made("LSTM", memory="recompute").bfloat16()
    (row,) = layer.backend_report().rows
    assert (row.backend, row.memory) == ("reference", "recompute")
    assert "torch.nn has no memory='recompute'" in row.reason
    layer.memory = "store"
    assert layer.backend_report().rows[0].backend == "torch"


def test_a_mode_is_as_good_as_torchs_layer():
    """The drop-in's gradients are still torch.nn's."""
    torch.manual_seed(3)
    theirs = nn.GRU(4, 4, 2, dtype=torch.float64)
    ours = made("GRU", num_layers=2, memory="recompute")
    ours.load_state_dict(theirs.state_dict())
    bound = TOLERANCES["c", "float64"].bound
    assert max(map(error, outcome(ours), outcome(theirs))) <= bound


@pytest.mark.parametrize("kind", ["GRU", "gru"])
@pytest.mark.parametrize("mode", ["recompte", None, True])
def test_a_mode_that_is_set_later_is_looked_at(kind: str, mode: Any):
    """A word that is none is an error where it is set, and the mode stays."""
    layer = made(kind, memory="recompute")
    with pytest.raises(OptionError, match="'store' or 'recompute'"):
        layer.memory = mode
    assert layer.memory == "recompute"


def test_torchs_layers_have_no_such_mode():
    """A layer is not made torch's as long as it is set, alone or in a model."""
    model = nn.Sequential(made("GRU", memory="recompute"), made("GRU"))
    report = cw.convert(model, to="torch")
    assert [type(layer) for layer in model] == [cw.nn.GRU, nn.GRU]
    assert report.rows[0].memory == "recompute"
    assert "left alone" in report.rows[0].reason
    assert cw.convert(model).rows[0].memory == "recompute"
    setattr(model[0], "memory", "store")  # noqa: B010  # any module, for a type checker
    cw.convert(model, to="torch")
    assert not hasattr(model[0], "memory")
    assert "_memory" not in vars(model[0])


@pytest.mark.parametrize("kind", ["GRU", "gru"])
def test_copies_have_the_mode(kind: str):
    """And pickles; what was pickled before there was one stores."""
    layer = made(kind, memory="recompute")
    assert deepcopy(layer).memory == "recompute"
    assert pickle.loads(pickle.dumps(layer)).memory == "recompute"  # noqa: S301, ours
    state = {n: v for n, v in vars(layer).items() if n != "_memory"}
    other: Any = object.__new__(type(layer))
    other.__setstate__(state)
    assert other.memory == "store"
    assert same_bits(other(sequence(T, B, 4))[0], layer(sequence(T, B, 4))[0])


def test_a_stack_hands_its_mode_to_its_layers():
    """What is set of the whole is set of all, or refused."""
    layers = [made("GRU"), made("gru")]
    stack = cw.nn.Stack(layers)
    assert stack.memory == "store"
    stack.memory = "recompute"
    assert [layer.memory for layer in layers] == ["recompute"] * 2
    layers[0].memory = "store"
    assert stack.memory == "mixed"
    with pytest.raises(OptionError, match=r"memory is .*; found 'typo'"):
        stack.memory = "typo"
    with pytest.raises(OptionError, match=r"layers\.0.* is torch\.nn's"):
        cw.nn.Stack([nn.GRU(4, 4)]).memory = "recompute"


def test_a_stack_sets_all_or_none():
    """A layer of torch's refuses for all, wherever it stands."""
    layers = [made("gru"), nn.GRU(4, 4)]
    stack = cw.nn.Stack(layers)
    with pytest.raises(OptionError, match=r"layers\.1.* is torch\.nn's.* no memory="):
        stack.memory = "recompute"
    assert layers[0].memory == stack.memory == "store"
    layers[0].memory = "recompute"
    stack.memory = "store"
    assert layers[0].memory == "store"
