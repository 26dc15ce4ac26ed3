"""Layers under torch.compile and torch.export: one graph, and the same bits."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchRuntimeError, Unsupported
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.utils import rnn
from torch.utils._pytree import tree_leaves

import cellwright as cw
from strategies import DrawnCell, lengths

DROPINS: dict[str, dict[str, Any]] = {
    "LSTM": {"num_layers": 2, "bidirectional": True, "dropout": 0.3},
    "GRU": {"batch_first": True, "num_layers": 2, "bias": False},
    "RNN": {"nonlinearity": "relu"},
    "LSTM projected": {"proj_size": 3},
}
CELLS: dict[str, dict[str, Any]] = {
    "lstm": {"num_layers": 2, "bidirectional": True, "dropout": 0.3},
    "gru": {"batch_first": True, "bias": False, "num_layers": 2},
    "slstm": {"heads": 2},
    "rhn": {"depth": 3},
    "izhikevich": {"a": 0.05},
}
EVERYTHING = {
    "num_layers": 2,
    "bidirectional": True,
    "zoneout": {"h": 0.1, "c": 0.4},
    "variational_dropout": 0.2,
    "weight_dropout": 0.3,
}

DESCRIBED = ("_form_text", "_weight_names")

# torch.compile itself looks at .grad of what crosses the border of a graph.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)


@pytest.fixture(autouse=True)
def _forgotten():
    """Let every test begin with nothing compiled."""
    torch._dynamo.reset()


def made(kind: Any, **options: Any) -> Any:
    """Return a drop-in or a Recurrent with 4 inputs and units, in float64."""
    torch.manual_seed(3)
    options["dtype"] = torch.float64
    if kind in DROPINS:
        return getattr(cw.nn, kind.split()[0])(4, 4, **options)
    width = 1 if kind == "izhikevich" else 4
    return cw.nn.Recurrent(kind, width, 4, **options)


def sequence(*shape: int, seed: int = 7) -> Tensor:
    """Return a random tensor with a fixed seed."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def compiled(layer: nn.Module, backend: Any = "aot_eager", **options: Any) -> Any:
    """Return the layer as torch.compile makes it, where a break is an error."""
    return torch.compile(layer, fullgraph=True, backend=backend, **options)


def outcome(
    run: Any, layer: nn.Module, x: Tensor, hx: Any = None, **asked: Any
) -> dict[str, Tensor]:
    """Return all that a call returns, and all gradients for random cotangents."""
    leaves = {"x": x.clone().requires_grad_(), **dict(layer.named_parameters())}
    for name, value in asked.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            leaves[name] = asked[name] = value.clone().requires_grad_()
    if hx is not None:
        first = [state.clone().requires_grad_() for state in hx]
        leaves |= {f"first {i}": state for i, state in enumerate(first)}
        hx = tuple(first) if len(first) > 1 else first[0]
    torch.manual_seed(5)
    found = run(leaves["x"], hx, **asked)
    values = dict(enumerate(tree_leaves(found)))
    loss = sum((v * sequence(*v.shape, seed=i)).sum() for i, v in values.items())
    assert isinstance(loss, Tensor)
    grads = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    traces = found[2] if len(found) > 2 else {}
    return {
        **{f"{i} of {list(traces)}": v.detach() for i, v in values.items()},
        **{f"gradient of {n}": g for n, g in zip(leaves, grads, strict=True)},
    }


def assert_same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]):
    """Fail with the names of all that is not equal to the bit."""
    assert list(actual) == list(expected)
    assert [
        name
        for name, value in expected.items()
        if not torch.equal(actual[name].nan_to_num(), value.nan_to_num())
        or not torch.equal(actual[name].isnan(), value.isnan())
    ] == []


def first_states(layer: Any, x: Tensor) -> list[Tensor]:
    """Return random first states for a batched input."""
    state = layer(x)[1]
    states = [state] if isinstance(state, Tensor) else state
    return [sequence(*each.shape) for each in states]


@pytest.mark.parametrize("kind", [*DROPINS, *CELLS])
def test_compiles_as_one_graph_with_the_same_bits(kind: str):
    """Any cell has no break, forward and backward, with and without hx."""
    layer = made(kind, **DROPINS.get(kind, {}), **CELLS.get(kind, {}))
    x = sequence(3, 2, layer.input_size)
    run = compiled(layer)
    for hx in (None, first_states(layer, x)):
        expected = outcome(layer, layer, x, hx)
        assert_same_bits(outcome(run, layer, x, hx), expected)
        assert expected["gradient of x"].any()


def test_further_inputs_are_in_the_graph():
    """A cell's further inputs are handed through, and get their gradients."""
    layer = made("phased_lstm")
    x, t = sequence(3, 2, 4), sequence(3, 2).abs().cumsum(0)
    expected = outcome(layer, layer, x, time=t)
    assert_same_bits(outcome(compiled(layer), layer, x, time=t), expected)


@pytest.mark.parametrize("kind", ["GRU", "elman"])
def test_unbatched_input_is_in_the_graph(kind: str):
    """An input without a batch axis compiles too, with one length."""
    layer = made(kind)
    x = sequence(5, 4)
    expected = outcome(layer, layer, x, lengths=3, trace=("h'",))
    found = outcome(compiled(layer), layer, x, lengths=3, trace=("h'",))
    assert_same_bits(found, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "lstm"])
def test_all_that_a_call_can_ask_for_is_in_the_graph(kind: str, training: bool):
    """So are lengths, masks, resets, traces, all states, zoneout and dropouts."""
    layer = made(kind, **EVERYTHING).train(training)
    x = sequence(5, 3, 4)
    asked = {
        "lengths": torch.tensor([5, 0, 3]),
        "mask": sequence(5, 3, seed=1) > -1,
        "reset": sequence(5, 3, seed=2) > 1,
        "trace": ("i", "c'"),
        "return_states": "all",
    }
    expected = outcome(layer, layer, x, **asked)
    assert_same_bits(outcome(compiled(layer), layer, x, **asked), expected)


def test_random_cells_compile(cell_seed: int):
    """Whatever a cell's file says is in the graph."""
    random = Random(cell_seed)
    for _ in range(2):
        drawn = DrawnCell(random.getrandbits(32))
        torch.manual_seed(1)
        layer = cw.nn.Recurrent(
            drawn.cell, *lengths(drawn.cell, random), dtype=torch.float64
        )
        further = {
            i.name: sequence(3, 2, *(n.evaluate(layer._sizes[0]) for n in i.shape))
            for i in layer.graph.inputs[1:]
        }
        x = sequence(3, 2, layer.input_size)
        expected = outcome(layer, layer, x, **further)
        assert_same_bits(outcome(compiled(layer), layer, x, **further), expected)


@pytest.mark.parametrize("kind", ["LSTM", "gru"])
def test_compiles_once_for_all_sizes(kind: str):
    """With dynamic shapes one graph serves all batches, steps and lengths."""
    layer = made(kind, num_layers=2)
    counter = CompileCounterWithBackend("aot_eager")
    run = compiled(layer, counter, dynamic=True)
    seen: list[int] = []
    for steps, batch in ((7, 3), (6, 5), (9, 2)):
        x, counts = sequence(steps, batch, 4), list(range(steps - batch, steps))
        asked = {"lengths": torch.tensor(counts)}
        assert_same_bits(
            outcome(run, layer, x, **asked), outcome(layer, layer, x, **asked)
        )
        seen.append(counter.frame_count)
    assert seen[0] == seen[-1]


def test_lists_of_lengths_compile_once():
    """Other numbers in a list are other values, not another graph."""
    layer = made("elman")
    counter = CompileCounterWithBackend("aot_eager")
    run = compiled(layer, counter, dynamic=True)
    x = sequence(5, 3, 4)
    seen: list[int] = []
    for counts in ([5, 2, 3], [4, 5, 2], [3, 0, 5]):
        expected = outcome(layer, layer, x, lengths=counts)
        assert_same_bits(outcome(run, layer, x, lengths=counts), expected)
        seen.append(counter.frame_count)
    assert seen[0] == seen[-1]


@pytest.mark.parametrize("kind", ["LSTM", "lstm"])
def test_what_is_set_later_counts(kind: str):
    """A share, a layout or a mode that changes is another graph, not a stale one."""
    layer = made(kind, num_layers=2, dropout=0.1)
    run = compiled(layer)
    x = sequence(3, 3, 4)
    for name, value in (
        ("dropout", 0.5),
        ("zoneout", 0.25),
        ("zoneout", {"c": 0.75}),
        ("variational_dropout", 0.3),
        ("dropout", 0.7),
        ("weight_dropout", 0.4),
        ("batch_first", True),
        ("training", False),
    ):
        setattr(layer, name, value)
        assert_same_bits(outcome(run, layer, x), outcome(layer, layer, x))


def test_layers_of_equal_shapes_are_told_apart():
    """A function that runs two cells with the same weights keeps them apart."""
    layers = [made(kind) for kind in ("elman", "elman_relu")]
    layers += [made("RNN", nonlinearity=kind) for kind in ("tanh", "relu")]

    @torch.compile(fullgraph=True, backend="aot_eager")
    def run(layer: Any, x: Tensor):
        return layer(x)[0]

    x = sequence(3, 2, 4)
    assert all(torch.equal(run(layer, x), layer(x)[0]) for layer in layers)


@pytest.mark.parametrize("kind", ["GRU", "gru"])
def test_errors_say_the_same(kind: str):
    """What does not fit is told in the words of a call that is not compiled."""
    layer = made(kind)
    with pytest.raises(TorchRuntimeError, match="last axis of the input must be"):
        compiled(layer)(sequence(3, 2, 5))
    with pytest.raises(TorchRuntimeError, match="no value 'q' to trace: it has"):
        compiled(layer)(sequence(3, 2, 4), trace=("q",))


@pytest.mark.parametrize("counts", [[9, 1], [1, -1]])
def test_length_out_of_range_is_an_error_when_the_graph_runs(counts: list[int]):
    """A graph looks at its lengths, whose values are unknown while it is made."""
    run = compiled(made("gru"))
    run(sequence(5, 2, 4), lengths=torch.tensor([5, 0]))
    with pytest.raises(RuntimeError, match="a length is from 0 to the number of steps"):
        run(sequence(5, 2, 4), lengths=torch.tensor(counts))


@pytest.mark.parametrize("kind", ["GRU", "gru"])
def test_reference_and_packed_sequences_break_the_graph(kind: str):
    """They run as they are outside of it, and say the same."""
    slow, fast = made(kind, backend="reference"), made(kind)
    x = sequence(3, 2, 4)
    packed = rnn.pack_padded_sequence(x, torch.tensor([3, 1]))
    for layer, given in ((slow, x), (fast, packed)):
        with pytest.raises(Unsupported):
            compiled(layer)(given)
        found = tree_leaves(torch.compile(layer, backend="aot_eager")(given))
        pairs = zip(found, tree_leaves(layer(given)), strict=True)
        assert all(a is b is None or torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "slstm"])
def test_export_records_any_number_of_steps(kind: str, strict: bool, tmp_path: Path):
    """An exported model, saved and loaded, runs other batches and sequences."""
    model = nn.Sequential(nn.Linear(4, 4, dtype=torch.float64), made(kind)).eval()
    axes = {0: torch.export.Dim("T", min=2), 1: torch.export.Dim("B", min=2)}
    program = torch.export.export(
        model, (sequence(3, 2, 4),), dynamic_shapes=(axes,), strict=strict
    )
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    x = sequence(7, 5, 4)
    assert all(map(torch.equal, tree_leaves(loaded(x)), tree_leaves(model(x))))


def test_layer_of_an_older_pickle_compiles():
    """What torch.compile reads of a layer is no part of its state."""
    layer = made("elman")
    state = {n: v for n, v in vars(layer).items() if n not in DESCRIBED}
    assert len(state) == len(vars(layer)) - len(DESCRIBED)
    other = cw.nn.Recurrent.__new__(cw.nn.Recurrent)
    other.__setstate__(state)
    x = sequence(3, 2, 4)
    assert torch.equal(compiled(other)(x)[0], layer(x)[0])
