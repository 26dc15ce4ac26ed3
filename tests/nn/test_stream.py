import io
import pickle
from collections.abc import Hashable, Mapping
from itertools import cycle
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

import cellwright as cw
from any_cell import sizes_for, stacks
from cellwright.nn.carried import CarriedStates
from cellwright.nn.errors import DtypeError, ShapeError, StateError
from cellwright.train.model import Forecaster
from layer_runs import assert_same
from strategies import random_cells, seeds

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Story:
    """Streams that come, step, and go, at random; and what each was given.

    Args:
        stream: under test.
        size: streams in the batch, about.
        random: draws.
        dtype: of the inputs.
        widths: of x, and of further inputs by name: None for a scalar.
    """

    def __init__(
        self,
        stream: cw.Stream,
        size: int,
        random: Random,
        dtype: torch.dtype,
        widths: Mapping[str, int | None] = MappingProxyType({"x": 3}),
    ):
        self.stream, self.size, self.random, self.dtype = stream, size, random, dtype
        self.widths = widths
        self.inputs: dict[Hashable, list[dict[str, Tensor]]] = {}
        self.outputs: dict[Hashable, list[Tensor]] = {}
        self.done: list[tuple[list[dict[str, Tensor]], list[Tensor]]] = []
        self.count = 0
        self.last: list[Hashable] = []

    def step(self) -> None:
        """Step with all streams, or some in any order, and with new ones.

        More often than not it is with those of the last time, as streams do.
        """
        ids = list(self.inputs)
        if self.last and set(self.last) <= set(ids) and self.random.random() < 0.6:
            self._step_with(self.last)
            return
        if self.random.random() < 0.5 and ids:
            ids = self.random.sample(ids, self.random.randint(1, len(ids)))
        while len(self.inputs) < self.size and (not ids or self.random.random() < 0.7):
            name = f"stream {self.count}"
            ids.insert(self.random.randint(0, len(ids)), name)
            self.inputs[name] = []
            self.count += 1
        self._step_with(ids)

    def _step_with(self, ids: list[Hashable]) -> None:
        self.last = ids
        draws = torch.Generator().manual_seed(self.random.getrandbits(30))
        given: dict[str, Tensor] = {}
        for name, wide in self.widths.items():
            shape = (len(ids),) if wide is None else (len(ids), wide)
            given[name] = torch.randn(shape, generator=draws, dtype=self.dtype)
        further = {name: rows for name, rows in given.items() if name != "x"}
        found = self.stream.step(given["x"], streams=ids, **further)
        for row, (name, output) in enumerate(zip(ids, found, strict=True)):
            self.inputs[name].append({n: rows[row] for n, rows in given.items()})
            self.outputs.setdefault(name, []).append(output)

    def leave(self) -> None:
        """Let some streams go."""
        ids = list(self.inputs)
        gone = self.random.sample(ids, self.random.randint(0, len(ids)))
        self.stream.leave(*gone)
        for name in gone:
            self.done.append((self.inputs.pop(name), self.outputs.pop(name)))

    def turn_back(self) -> None:
        """Go on from a snapshot, after steps that never happened."""
        saved = pickle.dumps(self.stream.snapshot())
        inputs = {name: list(rows) for name, rows in self.inputs.items()}
        outputs = {name: list(rows) for name, rows in self.outputs.items()}
        done = list(self.done)
        self.step()
        self.leave()
        self.stream.restore(pickle.loads(saved))  # noqa: S301, our own
        self.inputs, self.outputs, self.done = inputs, outputs, done

    def run(self, turns: int) -> None:
        """Do anything, so many times."""
        for _ in range(turns):
            self.random.choice([self.step, self.step, self.step, self.leave])()
            if self.random.random() < 0.2:
                self.turn_back()
        assert set(self.stream.streams) == set(self.inputs)

    def sequences(self) -> list[tuple[dict[str, Tensor], Tensor]]:
        """Return for every stream its inputs and its outputs, ``[T, ...]``."""
        ran = [*self.done, *((x, self.outputs[n]) for n, x in self.inputs.items() if x)]
        assert ran
        return [
            (
                {n: torch.stack([r[n] for r in x]) for n in self.widths},
                torch.stack(y),
            )
            for x, y in ran
        ]


def recurrent(cell: str = "lstm", **options: Any) -> Any:
    """Return a layer with about 3 inputs, in evaluation, with fixed weights."""
    torch.manual_seed(3)
    wide, high, more = sizes_for(cw.cells.load(cell).graph, 3, 21)
    return cw.nn.Recurrent(cell, wide, high, **more, **options).eval()


class Head(nn.Module):
    """A layer, and a Linear as people put it behind: at every step, or at the last."""

    def __init__(self, core: nn.Module, form: str = "every"):
        super().__init__()
        self.core, self.form = core, form
        self.head = nn.Linear(4, 2, dtype=next(core.parameters()).dtype)

    def forward(self, x: Tensor) -> Any:
        """Return the output in the form asked for."""
        output, state = self.core(x)
        h = state[0] if isinstance(state, tuple) else state
        match self.form:
            case "every":
                return self.head(output)
            case "tuple":
                return self.head(output), state
            case "last":
                return self.head(h[-1])
            case "state itself":
                return h[-1]
            case "mean":
                return self.head(output).mean(1 if self.core.batch_first else 0)
            case "noisy":
                return self.head(output) + torch.randn(2)
            case _:
                raise ValueError(self.form)


def net(form: str = "every", **options: Any) -> Any:
    """Return a model in evaluation, with fixed weights."""
    torch.manual_seed(5)
    return Head(cw.nn.LSTM(3, 4, **options), form).eval()


@pytest.mark.parametrize("size", [1, 3, 17])
# Each in one dtype: a compiler takes a second for another.
@pytest.mark.parametrize(("cell", "dtype"), [*zip(cw.cells.names(), cycle(DTYPES))])
def test_kernels_give_a_streams_own_bits(cell: str, dtype: str, size: int):
    """A stream puts out what a call with its sequence alone does, bit for bit.

    That holds for every cell of the library, whoever else was in the batch, and for
    streams that come and go.
    """
    layers = 2 if stacks(cw.cells.load(cell).graph, 21) else 1
    layer = recurrent(cell, num_layers=layers, backend="c", dtype=DTYPES[dtype])
    widths: dict[str, int | None] = dict.fromkeys(r.name for r in layer.graph.inputs)
    widths["x"] = layer.input_size
    story = Story(cw.Stream(layer), size, Random(size), DTYPES[dtype], widths)
    story.run(12)
    for given_rows, y in story.sequences():
        rows = {name: row.unsqueeze(1) for name, row in given_rows.items()}
        with torch.no_grad():
            alone, _ = layer(rows.pop("x"), **rows)
        assert torch.equal(y, alone[:, 0])


@random_cells
@given(seed=seeds)
def test_any_story_of_streams_gives_their_own_bits(seed: int):
    """Joining, stepping, leaving, turning back: all in any order."""
    random = Random(seed)
    layer = recurrent(random.choice(["lstm", "gru"]), backend="c")
    story = Story(cw.Stream(layer), random.randint(1, 9), random, torch.float32)
    story.step()
    story.run(random.randint(1, 25))
    for x, y in story.sequences():
        assert torch.equal(y, layer(x["x"].unsqueeze(1))[0][:, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kind", ["reference", "drop-in by torch", "torch.nn", "model", "last", "nn.GRU"]
)
def test_other_backends_give_the_sequence_up_to_rounding(kind: str, dtype: str):
    """BLAS sums in another order for another batch, and not otherwise."""
    torch.manual_seed(3)
    like: dict[str, Any] = {"dtype": DTYPES[dtype]}
    layer: Any = {
        "reference": lambda: recurrent(backend="reference", **like),
        "drop-in by torch": lambda: cw.nn.GRU(3, 4, 2, backend="torch", **like),
        "torch.nn": lambda: nn.LSTM(3, 4, 2, **like),
        "model": lambda: Head(cw.nn.LSTM(3, 4, **like)),
        "last": lambda: Head(nn.GRU(3, 4, **like), "last"),
        "nn.GRU": lambda: nn.GRU(3, 4, **like),
    }[kind]().eval()
    story = Story(cw.Stream(layer), 5, Random(kind), DTYPES[dtype])
    story.run(12)
    for x, y in story.sequences():
        whole = layer(x["x"].unsqueeze(1))
        whole = whole[0] if isinstance(whole, tuple) else whole
        found = {"o": y[-1] if kind == "last" else y}
        expected = {"o": whole[0] if kind == "last" else whole[:, 0]}
        assert_same(found, expected, dtype=dtype)


def test_states_below_a_linear_layer_keep_their_bits():
    """What stands behind the layers rounds as it will; the states do not move."""
    model = net(num_layers=2, backend="c")
    x = torch.randn(6, 7, 3, generator=torch.Generator().manual_seed(1))
    stream = cw.Stream(model)
    for step in x:
        stream.step(step)
    found = stream.snapshot()["states"]
    for row in range(7):
        h, c = model.core(x[:, row : row + 1])[1]
        assert torch.equal(found["core.h"][:, row], h[:, 0])
        assert torch.equal(found["core.c"][:, row], c[:, 0])


FORMS = {"every": True, "tuple": True, "last": False, "state itself": False}


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_axis_of_time_is_found_and_taken_away(form: str, batch_first: bool):
    """A step puts out `[B, O]`, whether the model puts out every step or one value."""
    model = net(form, batch_first=batch_first)
    x = torch.randn(5, 2, 3)
    stream = cw.Stream(model)
    outputs = torch.stack([stream.step(step) for step in x])
    for end in range(1, 6):
        given = x[:end].transpose(0, 1) if batch_first else x[:end]
        whole = model(given)
        whole = whole[0] if form == "tuple" else whole
        if FORMS[form]:
            whole = whole[:, -1] if batch_first else whole[-1]
        assert_same({"o": outputs[end - 1]}, {"o": whole}, dtype="float32")


class Turned(nn.Module):
    """A model that takes ``[B, T, I]``, around a layer that does not."""

    def __init__(self, core: nn.Module):
        super().__init__()
        self.core = core

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[B, T, O]``."""
        return self.core(x.transpose(0, 1))[0].transpose(0, 1)


def test_layout_of_the_model_counts_not_the_layers():
    """Where the batch stands is found out too, and can be said."""
    model = Turned(cw.nn.LSTM(3, 4)).eval()
    x = torch.randn(5, 2, 3)
    expected = model(x.transpose(0, 1))
    for batch_first in (None, True):
        stream = cw.Stream(model, batch_first=batch_first)
        outputs = torch.stack([stream.step(step) for step in x], 1)
        assert_same({"o": outputs}, {"o": expected}, dtype="float32")
    with pytest.raises(StateError, match="batch_first="):
        cw.Stream(model, batch_first=False).step(x[0])


class Seeing(nn.Module):
    """A layer behind something that sees more than one step."""

    def __init__(self, kind: str):
        super().__init__()
        self.core = cw.nn.LSTM(3, 4, batch_first=True)
        self.kind, self.over = kind, nn.Conv1d(3, 3, 3, padding=1)
        self.attention = nn.MultiheadAttention(3, 1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        match self.kind:
            case "convolution":
                x = self.over(x.transpose(1, 2)).transpose(1, 2)
            case "attention":
                x = self.attention(x, x, x)[0]
            case "difference":
                x = torch.cat([x[:, :1], x[:, 1:] - x[:, :-1]], 1)
            case _:
                x = x * torch.arange(x.shape[1]).view(1, -1, 1)
        return self.core(x)[0]


@pytest.mark.parametrize("kind", ["convolution", "attention", "difference", "position"])
def test_model_whose_steps_are_not_the_sequence_is_refused(kind: str):
    """What would silently be another function says so at the first step."""
    with pytest.raises(StateError, match="are the sequence"):
        cw.Stream(Seeing(kind).eval()).step(torch.randn(4, 3))
    with pytest.raises(StateError, match="are the sequence"):
        cw.Stream(net("mean")).step(torch.randn(4, 3))


def test_chance_is_no_reason_to_refuse():
    """A model that draws numbers cannot be judged, and runs."""
    assert cw.Stream(net("noisy")).step(np.ones((4, 3))).shape == (4, 2)


def test_further_inputs_go_with_the_rows():
    """A cell's other inputs are given by name; a reset starts its rows again."""
    layer = recurrent(backend="c")
    x = torch.randn(4, 2, 3)
    reset = torch.zeros(4, 2, dtype=torch.bool)
    reset[2, 1] = True
    stream = cw.Stream(layer)
    found = [stream.step(a, reset=b) for a, b in zip(x, reset, strict=True)]
    assert torch.equal(torch.stack(found), layer(x, reset=reset)[0])
    with pytest.raises(ShapeError, match="row for each row"):
        stream.step(x[0], reset=reset[0, :1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_comes_back_as_numpy_in_the_models_dtype(dtype: str):
    """Arrays of any float, also read-only ones, are brought to the model's dtype."""
    layer = recurrent(dtype=DTYPES[dtype], backend="c")
    x = np.random.default_rng(1).standard_normal((4, 2, 3))
    x.setflags(write=False)
    stream = cw.Stream(layer)
    found = np.stack([stream.step(step) for step in x])
    expected = layer(torch.tensor(x, dtype=DTYPES[dtype]))[0].detach().numpy()
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


LAYOUTS = {
    "backwards": lambda x: x[::-1, ::-1],
    "columns first": np.asfortranarray,
    "big-endian": lambda x: x.astype(">f8"),
    "little-endian": lambda x: x.astype("<f4"),
    "field": lambda x: x.astype([("a", "f4"), ("b", "f8")])["b"],
    "half": lambda x: x.astype(np.float16),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_numpy_may_lie_in_memory_as_it_will(layout: str):
    """Strides and byte order of an array are not the model's business."""
    layer = recurrent(backend="c")
    x = LAYOUTS[layout](np.random.default_rng(1).standard_normal((2, 3)))
    expected = layer(torch.tensor(x.astype(np.float32).tolist())[None])[0][0].detach()
    stream = cw.Stream(layer)
    assert np.array_equal(stream.step(x, streams=["a", "b"]), expected.numpy())
    tokens = np.array([1, 2], dtype=">i8")
    model = Letters().eval()
    found = cw.Stream(model).step(tokens[::-1])
    assert np.array_equal(found, model(torch.tensor([[2, 1]]))[0].detach().numpy())


@pytest.mark.parametrize("dtype", [np.longdouble, object, "U3", "M8[s]"])
def test_dtype_that_torch_has_not_is_refused(dtype: Any):
    """In words of ours, with what to write."""
    stream = cw.Stream(recurrent())
    with pytest.raises(DtypeError, match=r"x has a dtype .*\n.*\n.*x\.astype"):
        stream.step(np.ones((2, 3)).astype("i8").astype(dtype))
    with pytest.raises(DtypeError, match="reset has a dtype"):
        stream.step(np.ones((2, 3)), reset=np.zeros(2).astype("i8").astype(dtype))


def test_streams_follow_the_dtype_of_the_model():
    """After `double()` arrays and states are float64, whenever it was called."""
    layer, x = recurrent(backend="c"), np.random.default_rng(1).standard_normal((3, 3))
    early, late = cw.Stream(layer), cw.Stream(layer)
    first = early.step(x)
    states = early.snapshot()["states"]
    layer.double()
    assert early.snapshot()["states"]["c"].dtype == torch.float64
    h, c = (states[name].double() for name in ("h", "c"))
    expected, _ = layer(torch.tensor(x)[None], (h, c))
    assert np.array_equal(early.step(x), expected[0].detach().numpy())
    assert np.array_equal(
        late.step(x), layer(torch.tensor(x)[None])[0][0].detach().numpy()
    )
    layer.float()
    late.reset()
    assert np.array_equal(late.step(x), first)


def test_forecaster_keeps_the_digits_of_numpy():
    """A model that scales in float64 gets float64, and is many-to-one."""
    torch.manual_seed(3)
    scale: dict[str, Any] = {"mean": [1e9, 0.0], "std": [1.0, 1.0]}
    model = Forecaster("lstm", ["a", "b"], 5, 3, hidden_size=4, **scale).eval()
    x = np.random.default_rng(1).standard_normal((6, 2, 2))
    x += np.array([1e9, 0])
    stream = cw.Stream(model)
    for end, step in enumerate(x, 1):
        found = stream.step(step)
        expected = model(torch.tensor(x[:end]).transpose(0, 1)).detach()
        assert_same(
            {"o": torch.tensor(found) - 1e9}, {"o": expected - 1e9}, "c", "float32"
        )


@pytest.mark.parametrize("form", ["every", "last"])
def test_one_stream_needs_no_axis_of_the_batch(form: str):
    """`[I]` in, `[O]` out; it is stream 0, unless it has a name."""
    model, x = net(form), torch.randn(5, 3)
    stream, other, named = (cw.Stream(model) for _ in range(3))
    for step in x:
        found = stream.step(step)
        assert torch.equal(found, other.step(step[None])[0])
        assert np.array_equal(named.step(step.numpy(), streams=["b"]), found.numpy())
    assert stream.streams == (0,)
    assert named.streams == ("b",)


class Letters(nn.Module):
    """A model of tokens."""

    def __init__(self):
        super().__init__()
        self.embedding, self.core = nn.Embedding(7, 3), cw.nn.GRU(3, 4, backend="c")

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the layer's output at every step."""
        return self.core(self.embedding(tokens))[0]


def test_whole_numbers_are_tokens():
    """A model of tokens gets `[B]`, or one number."""
    model, tokens = Letters().eval(), torch.tensor([[1, 6], [2, 0], [5, 3]])
    expected = model(tokens).detach()
    stream, other = cw.Stream(model), cw.Stream(model)
    for step, output in zip(tokens, expected, strict=True):
        assert torch.equal(stream.step(step), output)
        assert np.array_equal(other.step(step.numpy()[0]), output[0].numpy())


def test_output_is_the_callers_own():
    """Writing on an output, or on an input, reaches no state."""
    model, x = net("state itself", backend="c"), torch.randn(4, 2, 3)
    stream, expected = cw.Stream(model), cw.Stream(model)
    for step in x:
        given = step.clone()
        found = stream.step(given)
        assert torch.equal(found, expected.step(step))
        found.zero_()
        given.zero_()


def test_no_gradients_are_recorded():
    """A stream of a million steps keeps nothing of them."""
    stream = cw.Stream(recurrent())
    assert not stream.step(torch.ones(2, 3, requires_grad=True)).requires_grad
    assert not any(v.requires_grad for v in stream.snapshot()["states"].values())


def test_streams_in_one_order_are_handed_on(monkeypatch: pytest.MonkeyPatch):
    """Where nobody comes or goes no state is copied."""
    stream = cw.Stream(recurrent())
    names = ["a", "b"]
    stream.step(torch.ones(2, 3), streams=names)
    monkeypatch.delattr(CarriedStates, "select")
    before = stream._carried.values
    stream.step(torch.ones(2, 3), streams=names)
    assert stream._carried.values is not before
    stream.step(torch.ones(2, 3), streams=("a", "b"))


def test_streams_keep_their_states_while_others_step():
    """A stream that is not named waits, and one that comes again begins anew."""
    layer = recurrent(backend="c")
    x = torch.randn(3, 3)
    stream = cw.Stream(layer)
    stream.step(x[[0, 0, 0]], streams=["abc", "d", "e"])
    stream.step(x[[1]], streams=["e"])
    found = stream.step(x[[2, 2]], streams=["e", "d"])
    assert torch.equal(found[0], layer(x)[0][-1])
    assert torch.equal(found[1], layer(x[[0, 2]])[0][-1])
    assert stream.streams == ("abc", "d", "e")
    stream.leave("d", "abc")
    assert torch.equal(stream.step(x[:1], streams=["d"]), layer(x[:1])[0])
    assert stream.streams == ("e", "d")


def test_numbers_in_tensors_name_the_same_streams():
    """Two tensors are never one key, their numbers are."""
    x, stream = torch.randn(2, 3), cw.Stream(recurrent())
    stream.step(x, streams=list(torch.arange(2)))
    stream.step(x, streams=list(torch.tensor([1, 0])))
    assert stream.streams == (0, 1)


def test_reset_forgets_all():
    """After it any number of streams may come, and each begins."""
    layer = recurrent(backend="c")
    stream = cw.Stream(layer)
    first = stream.step(torch.ones(2, 3))
    stream.step(torch.ones(2, 3))
    stream.reset()
    assert stream.snapshot() == {"streams": (), "states": {}}
    assert torch.equal(stream.step(torch.ones(1, 3)), first[:1])
    stream.leave(0)
    assert torch.equal(stream.step(torch.ones(2, 3)), first)


def test_names_may_come_as_numbers_of_arrays():
    """Rows of an array or a tensor of numbers are the same streams as the numbers."""
    stream = cw.Stream(recurrent())
    stream.step(torch.ones(2, 3), streams=torch.tensor([5, 7]))
    stream.step(torch.ones(2, 3), streams=np.array([7, 5]))
    stream.step(torch.ones(1, 3), streams=range(5, 6))
    assert stream.streams == (5, 7)


def test_step_that_fails_changes_nothing():
    """Neither states nor streams move by an input that does not fit."""
    layer, x = recurrent(backend="c"), torch.randn(2, 3)
    stream = cw.Stream(layer)
    stream.step(x[:1], streams=["a"])
    for names in (["a"], ["b"], ["a", "b"]):
        with pytest.raises(ShapeError):
            stream.step(torch.ones(len(names), 4), streams=names)
    assert stream.streams == ("a",)
    assert torch.equal(stream.step(x[1:], streams=["a"]), layer(x)[0][1:])


def test_snapshots_are_plain_values_of_their_own():
    """One can be saved, is not moved by later steps, and serves more than once."""
    layer, x = recurrent(backend="c"), torch.randn(2, 3)
    stream = cw.Stream(layer)
    stream.step(x, streams=["a", "b"])
    snapshot, file = stream.snapshot(), io.BytesIO()
    torch.save(snapshot, file)
    expected = [stream.step(x, streams=["b", "a"]) for _ in range(2)]
    file.seek(0)
    for saved in (snapshot, torch.load(file, weights_only=True), snapshot):
        other = cw.Stream(layer)
        other.restore(saved)
        assert other.streams == ("a", "b")
        for output in expected:
            assert torch.equal(other.step(x, streams=["b", "a"]), output)
    stream.restore(cw.Stream(layer).snapshot())
    assert stream.streams == ()
    stream.step(x, streams=["b", "c"])
    stream.restore(snapshot)
    assert stream.streams == ("a", "b")


def test_snapshot_of_another_model_changes_nothing():
    """It is refused as a whole."""
    layer = recurrent(backend="c")
    stream = cw.Stream(layer)
    stream.step(torch.zeros(2, 3))
    saved = stream.snapshot()
    stream.reset()
    stream.step(torch.ones(2, 3))
    wrong = [
        {"streams": (1,), "states": saved["states"]},
        {"streams": (0, 1), "states": {"h": saved["states"]["h"]}},
        {"streams": (0, 1)},
        {"streams": (0, 0), "states": saved["states"]},
        {"streams": (0, []), "states": saved["states"]},
        {"streams": "ab", "states": saved["states"]},
        {"streams": None, "states": saved["states"]},
        {"streams": None},
        {"streams": (0, 1), "states": None},
        {"streams": (), "states": None},
        {"streams": (0, 1), "states": [*saved["states"].values()]},
    ]
    for snapshot in wrong:
        with pytest.raises(StateError):
            stream.restore(snapshot)
    assert stream.streams == (0, 1)
    expected = layer(torch.ones(2, 2, 3))[0][1]
    assert torch.equal(stream.step(torch.ones(2, 3)), expected)


def test_any_training_mode_is_found():
    """A part of the model that was left in training is named."""
    model = net()
    model.core.train()
    with pytest.raises(StateError, match="'core' in training"):
        cw.Stream(model).step(torch.ones(2, 3))
