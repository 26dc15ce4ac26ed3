from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import cellwright as cw
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Result
from cellwright.backends.reference.ops import TORCH
from cellwright.explain.inside import normal, tracing
from cellwright.explain.inside.trace_errors import ReplayError, TraceError
from cellwright.explain.inside.traces import LayerTrace
from cellwright.tolerances import TOLERANCES, error

STEPS, ROWS, INPUTS, UNITS = 5, 3, 4, 5
LENGTHS = [3, 5, 2]
BY_TABLE = TOLERANCES["replay", "float32"].bound
PROVED = TOLERANCES["replay", "float64"].bound
KINDS: dict[str, Callable[..., Any]] = {
    "LSTM": nn.LSTM,
    "LSTM projected": lambda *a, **o: nn.LSTM(*a, proj_size=3, **o),
    "GRU": nn.GRU,
    "RNN tanh": nn.RNN,
    "RNN relu": lambda *a, **o: nn.RNN(*a, nonlinearity="relu", **o),
}
FORMS = [
    ("plain", False),
    ("plain", True),
    ("batch_first", True),
    ("unbatched", False),
    ("unbatched", True),
    ("packed", True),
    ("packed batch_first", False),
]
# torch says so once in a process, of its own speed.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def layer(kind: str, **options: Any) -> Any:
    """Return a layer whose weights are three times their usual size."""
    torch.manual_seed(5)
    found = KINDS[kind](INPUTS, UNITS, **options)
    with torch.no_grad():
        for weight in found.parameters():
            weight.mul_(3)
    return found


def sequence(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return random numbers with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=dtype)


def given(form: str) -> Any:
    """Return an input in one of the forms that layers take."""
    x = sequence(STEPS, ROWS, INPUTS)
    match form:
        case "batch_first":
            return x.transpose(0, 1)
        case "unbatched":
            return x[:, 0]
        case "packed" | "packed batch_first":
            return pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        case _:
            return x


def first_states(found: Any, form: str) -> Any:
    """Return random first states of a layer."""
    rows = found.num_layers * (1 + found.bidirectional)
    batch = () if form == "unbatched" else (ROWS,)
    widths = [found.proj_size or UNITS, UNITS]
    states = [sequence(rows, *batch, width) for width in widths]
    return tuple(states) if isinstance(found, nn.LSTM) else states[0]


def outcome(found: Any, form: str, result: Any) -> tuple[Tensor, list[Tensor]]:
    """Return a layer's output and states time first and with a batch."""
    output, state = result
    states = [state] if isinstance(state, Tensor) else list(state)
    match form:
        case "unbatched":
            return output.unsqueeze(1), [each.unsqueeze(1) for each in states]
        case "packed" | "packed batch_first":
            return pad_packed_sequence(output)[0], states
        case _:
            return output.transpose(0, 1) if found.batch_first else output, states


@pytest.mark.parametrize(("form", "hx"), FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_torchs_layers_are_replayed_and_proved(kind: str, form: str, hx: bool):
    """Four layers of two directions: proved in float64, shown within the table."""
    first = form.endswith("batch_first")
    found = layer(kind, num_layers=4, bidirectional=True, batch_first=first)
    arguments = (given(form), first_states(found, form)) if hx else (given(form),)
    shown = cw.trace(found, *arguments).only

    assert shown.backend == "replay"
    assert shown.proof is not None
    assert shown.proof <= PROVED
    assert shown.distance <= BY_TABLE
    with torch.no_grad():  # torch's own paths with and without differ in the last bit.
        output, states = outcome(found, form, found(*arguments))
    assert torch.equal(shown.output, output)
    for name, state in zip(shown.last, states, strict=True):
        assert torch.equal(shown.last[name], state)
    top = [shown["h'_l3"], shown["h'_l3_reverse"]]
    if shown.real is not None:
        top = [value.where(shown.real.unsqueeze(-1), 0) for value in top]
    assert error(torch.cat(top, -1), output.detach()) <= BY_TABLE
    assert (shown.lengths is not None) == form.startswith("packed")


@pytest.mark.parametrize("kind", KINDS)
def test_layers_without_biases_and_in_float64_are_replayed(kind: str):
    """Neither is a case of its own for who reads the traces."""
    found = layer(kind, bias=False, num_layers=2).double()
    shown = cw.trace(found, sequence(STEPS, ROWS, INPUTS).double()).only

    assert shown.distance <= PROVED
    assert all(value.dtype == torch.float64 for value in shown.values())


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_are_those_of_torchs_equations(kind: str):
    """Each gate is what its rows of the weights give, in the order torch documents."""
    found, x = layer(kind), sequence(STEPS, ROWS, INPUTS)
    shown = cw.trace(found, x).only
    before = torch.cat([shown.first["h"], shown["h'_l0"][:-1]])
    w = {name: value.detach() for name, value in found.named_parameters()}
    of_x = x @ w["weight_ih_l0"].T + w["bias_ih_l0"]
    of_h = before @ w["weight_hh_l0"].T + w["bias_hh_l0"]
    if kind == "LSTM":
        i, f, g, o = (of_x + of_h).chunk(4, -1)
        expected = {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    else:
        (rx, zx, nx), (rh, zh, nh) = of_x.chunk(3, -1), of_h.chunk(3, -1)
        expected = {"r": (rx + rh).sigmoid(), "z": (zx + zh).sigmoid()}
        expected["n"] = (nx + expected["r"] * nh).tanh()
    for name, value in expected.items():
        assert error(shown[f"{name}_l0"], value) <= BY_TABLE


def test_a_packed_row_is_traced_as_it_is_alone():
    """Rows are those that the caller packed, and padding is 0."""
    found = layer("LSTM", bidirectional=True)
    shown = cw.trace(found, given("packed")).only
    assert shown.lengths is not None
    assert shown.real is not None
    assert shown.lengths.tolist() == LENGTHS
    assert shown.real.sum(0).tolist() == LENGTHS
    for row, steps in enumerate(LENGTHS):
        alone = cw.trace(found, sequence(STEPS, ROWS, INPUTS)[:steps, row]).only
        for name, value in alone.items():
            assert error(shown[name][:steps, row], value[:, 0]) <= BY_TABLE
            if "'" not in name:
                assert not shown[name][steps:, row].any()


CELLS: dict[str, Callable[..., Any]] = {
    "LSTMCell": nn.LSTMCell,
    "GRUCell": nn.GRUCell,
    "RNNCell": lambda *a, **o: nn.RNNCell(*a, nonlinearity="relu", **o),
}


class Loop(nn.Module):
    """A cell in a loop, each sequence from the states that it is given."""

    def __init__(self, cell: Any):
        super().__init__()
        self.cell = cell

    def forward(self, *sequences: Tensor, zeros: bool = False) -> Any:
        """Return what the last sequence ends with."""
        h: Any = None
        for x in sequences:
            h = None
            if zeros:
                h = x.new_zeros(*x.shape[1:-1], UNITS)
                h = (h, h) if isinstance(self.cell, nn.LSTMCell) else h
            for step in x:
                h = self.cell(step, h)
        return h


@pytest.mark.parametrize("batched", [True, False], ids=["batch", "unbatched"])
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_in_a_loop_is_the_layer(kind: str, batched: bool):
    """Calls of a cell are stacked over time: values are those of torch.nn's layer."""
    torch.manual_seed(3)
    cell = CELLS[kind](INPUTS, UNITS)
    over_time: Any = KINDS[{"RNNCell": "RNN relu"}.get(kind, kind[:-4])](INPUTS, UNITS)
    pairs = zip(over_time.parameters(), cell.parameters(), strict=True)
    for whole, one in pairs:
        whole.data.copy_(one.data)
    x = sequence(STEPS, ROWS, INPUTS)
    x = x if batched else x[:, 0]
    shown, expected = cw.trace(Loop(cell), x)["cell"], cw.trace(over_time, x).only

    assert list(shown) == list(expected)
    for name, value in expected.items():
        assert error(shown[name], value) <= BY_TABLE
    for one, other in [(shown.first, expected.first), (shown.last, expected.last)]:
        assert all(error(one[name], other[name]) <= BY_TABLE for name in other)
    assert error(shown.output, expected.output) <= BY_TABLE
    assert error(shown.input, expected.input) == 0


@pytest.mark.parametrize("zeros", [True, False], ids=["zeros", "nothing"])
def test_a_cells_sequences_are_calls_of_their_own(zeros: bool):
    """A cell that is given no states, or zeros, begins a new sequence."""
    x = sequence(STEPS, ROWS, INPUTS)
    traces = cw.trace(Loop(nn.LSTMCell(INPUTS, UNITS)), x[:3], x[3:], zeros=zeros)

    assert [len(trace.output) for trace in traces.values()] == [3, 2]
    assert list(traces) == ["cell", "cell#1"]


def test_units_that_are_off_begin_no_new_sequence():
    """Zeros that a cell itself put out are handed on within a sequence."""
    cell = nn.RNNCell(INPUTS, UNITS, nonlinearity="relu")
    cell.bias_ih.data.fill_(-100)
    traces = cw.trace(Loop(cell), sequence(STEPS, ROWS, INPUTS))

    assert [len(trace.output) for trace in traces.values()] == [STEPS]


class Coders(nn.Module):
    """One LSTM that encodes and decodes, a GRU beside it, and one that never runs."""

    def __init__(self):
        super().__init__()
        self.shared = nn.LSTM(INPUTS, UNITS)
        self.beside = cw.nn.GRU(UNITS, UNITS, backend="reference")
        self.idle = nn.GRU(INPUTS, UNITS)

    def forward(self, x: Tensor) -> Tensor:
        """Encode, decode by the same weights, and run the second layer over that."""
        _, state = self.shared(x)
        output, _ = self.shared(x[:2], state)
        return self.beside(output.relu_())[0]


def test_every_call_of_a_layer_is_kept_apart():
    """Shared weights give two calls; what did not run is named."""
    traces = cw.trace(Coders(), sequence(STEPS, ROWS, INPUTS))

    assert list(traces) == ["shared", "shared#1", "beside"]
    assert [each.call for each in traces.calls("shared")] == [0, 1]
    assert torch.equal(traces["shared#1"].first["c"], traces["shared"].last["c"])
    assert traces.idle == ["idle"]
    assert "did not run: idle" in repr(traces)
    # What the model does to an output in place is not the layer's.
    assert float(traces["shared#1"].output.min()) < 0
    with pytest.raises(TraceError, match="one call of one layer"):
        _ = traces.only


@pytest.mark.parametrize("backend", ["c", "reference"])
def test_our_layers_are_traced_by_what_runs_them(backend: str):
    """A layer's own traces, from the same run, with masks, lengths and resets."""
    found = cw.nn.Recurrent(
        "lstm", INPUTS, UNITS, num_layers=2, bidirectional=True, backend=backend
    )
    x = sequence(STEPS, ROWS, INPUTS)
    reset = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    reset[2] = True
    request: dict[str, Any] = {"lengths": LENGTHS, "reset": reset}
    shown = cw.trace(found, x, **request).only
    names = ["i", "f", "g", "o", "c'", "h'"]
    with torch.no_grad():
        output, _ = found(x, **request)
        _, _, traces = found(x, trace=names, **request)

    assert (shown.backend, shown.proof) == (backend, None)
    assert torch.equal(shown.output, output)
    assert shown.keys() == traces.keys()
    for name, value in traces.items():
        assert (
            error(shown[name], value.detach()) <= TOLERANCES[backend, "float32"].bound
        )


@pytest.mark.parametrize(
    ("name", "options"),
    [("lif", {}), ("slstm", {"heads": 1}), ("jordan", {"output_size": 2})],
)
def test_any_cell_is_traced_in_any_layout(name: str, options: dict[str, Any]):
    """Also cells whose states begin elsewhere than at 0, or are not put out."""
    found = cw.nn.Recurrent(
        name, INPUTS, UNITS, batch_first=True, backend="reference", **options
    )
    shown = cw.trace(found, sequence(ROWS, STEPS, INPUTS)).only

    assert {value.shape[:2] for value in shown.values()} == {(STEPS, ROWS)}
    assert set(shown.first) == {state.name for state in found.graph.states}


def test_a_drop_in_on_torchs_path_is_replayed_unless_it_is_asked_for_more():
    """`lengths=` of such a drop-in is run by the reference, which traces itself."""
    found, x = cw.nn.GRU(INPUTS, UNITS, backend="torch"), given("plain")
    assert cw.trace(found, x).only.backend == "replay"
    found.backend = "reference"
    assert cw.trace(found, x, lengths=LENGTHS).only.backend == "reference"


def test_all_states_and_traces_of_the_users_own_are_no_hindrance():
    """The run is the user's call, whatever it asks for."""
    found = cw.nn.Recurrent("lstm", INPUTS, UNITS, backend="reference")
    asked: dict[str, Any] = {"trace": ("i",), "return_states": "all"}
    shown = cw.trace(found, given("plain"), **asked).only

    assert shown.last["c"].shape == (1, ROWS, UNITS)
    assert len(shown) == 6


# ------------------------------------------------------------------ tampering


def tampered_weight(name: str) -> Callable[..., Any]:
    """Return a `read_call` that reads one weight 1e-3 too large."""
    real = normal.read_call

    def read_call(form: Any, settings: Any, weights: Any, *rest: Any) -> Any:
        changed = weights[name].clone()
        changed.view(-1)[0] += 1e-3
        return real(form, settings, {**weights, name: changed}, *rest)

    return read_call


@pytest.mark.parametrize("kind", ["LSTM projected", "GRU", "RNN tanh"])
def test_a_replay_by_another_weight_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
):
    """One entry of any weight that is 1e-3 off is refused, by the proof in float64."""
    found = layer(kind, bidirectional=True)
    for name, _ in found.named_parameters():
        with monkeypatch.context() as patch:
            patch.setattr(normal, "read_call", tampered_weight(name))
            with pytest.raises(ReplayError, match="both in float64") as raised:
                cw.trace(found, given("packed"))
        assert raised.value.difference > PROVED, name
    cw.trace(found, given("packed"))


def tampered_run(name: str, step: int | None) -> Callable[..., Result]:
    """Return an `interpret.run` whose traced value is 1e-3 off, at one step or all."""
    real = interpret.run

    def run(*arguments: Any) -> Result:
        result = real(*arguments)
        if len(result.output) == 1 or name not in result.traces:
            return result
        value = result.traces[name].clone()
        value[slice(None) if step is None else step, 1, 2] += 1e-3
        return result._replace(traces={**result.traces, name: value})

    return run


@pytest.mark.parametrize(
    "step", [None, 0, 4], ids=["all steps", "the first", "a later one"]
)
@pytest.mark.parametrize("name", ["i", "f", "g", "o", "c'", "h'"])
def test_a_gate_or_a_step_that_is_off_is_refused(
    name: str, step: int | None, monkeypatch: pytest.MonkeyPatch
):
    """A value follows from the step before it, or nothing of it is shown."""
    found = layer("LSTM", bidirectional=True)
    monkeypatch.setattr(interpret, "run", tampered_run(name, step))
    with pytest.raises(ReplayError, match="fault of cellwright") as raised:
        cw.trace(found, given("plain"))

    if name not in ("c'", "h'"):
        assert raised.value.quantity == f"{name}_l0"
        assert raised.value.place == {"T": step or 0, "B": 1, "unit": 2}


def test_an_equation_that_is_off_is_refused(monkeypatch: pytest.MonkeyPatch):
    """What computes all values wrongly cannot check itself; torch.nn's code does."""
    real = TORCH["sigmoid"]
    monkeypatch.setitem(TORCH, "sigmoid", lambda args, attr: real(args, attr) + 1e-3)
    for kind in ("LSTM", "GRU"):
        with pytest.raises(ReplayError, match="both in float64"):
            cw.trace(layer(kind), given("plain"))


def test_a_kernel_that_is_off_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A layer's own traces are held against the reference, step by step."""
    found = cw.nn.Recurrent("lstm", INPUTS, UNITS, backend="reference")
    monkeypatch.setattr(interpret, "run", tampered_run("f", 3))
    with pytest.raises(ReplayError, match="the step computed by itself") as raised:
        cw.trace(found, given("plain"))
    assert raised.value.place == {"T": 3, "B": 1, "unit": 2}


class Own(nn.LSTM):
    """A forward of its own, 1e-3 off at one step."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return torch's result with another number in it."""
        output, state = super().forward(input, hx)
        output[3, 1, 2] += 1e-3
        return output, state


class Moving(nn.GRU):
    """Computes with another weight than it has before and after."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return torch's result for weights that are put back."""
        (_, weight, *_) = self.all_weights[0]
        kept = weight.detach().clone()
        with torch.no_grad():
            weight[0, 0] += 1e-3
        result = super().forward(input, hx)
        with torch.no_grad():
            weight.copy_(kept)
        return result


def test_a_layer_that_computes_something_else_is_refused():
    """The replay has to equal what the layer really put out."""
    torch.manual_seed(2)
    with pytest.raises(ReplayError, match="a forward of its own") as raised:
        cw.trace(Own(INPUTS, UNITS), given("plain"))
    assert raised.value.place == {"T": 3, "B": 1, "unit": 2}
    with pytest.raises(ReplayError, match="a forward of its own"):
        cw.trace(Moving(INPUTS, UNITS), given("plain"))


def test_rounding_that_grows_is_told():
    """A network that makes noise of rounding is refused where no digit is left."""
    torch.manual_seed(0)
    found, x = nn.RNN(INPUTS, 60), sequence(60, 1, INPUTS)
    with torch.no_grad():
        found.all_weights[0][1].mul_(4)
    with pytest.raises(ReplayError, match=r"deepcopy\(model\).double"):
        cw.trace(found, x)
    assert cw.trace(found.double(), x.double()).only.distance <= PROVED
    with torch.no_grad():
        found.all_weights[0][1].mul_(1.5)
    with pytest.raises(ReplayError, match="shorten the sequence"):
        cw.trace(found, x.double())


# ------------------------------------------------------------------ hooks and parts


def test_other_hooks_act_and_are_not_taken_for_the_layer():
    """What a hook makes of an output reaches the model; a trace shows the layer's."""
    found, x = layer("GRU"), given("plain")
    found.register_forward_hook(lambda *_: None)
    plain = cw.trace(found, x).only.output
    seen: list[Tensor] = []
    found.register_forward_hook(lambda _m, _a, r: (r[0] + 1, r[1]))
    found.register_forward_hook(lambda _m, _a, r: seen.append(r[0]))
    shown = cw.trace(found, x).only

    assert torch.equal(shown.output, plain)
    assert torch.equal(seen[0], plain + 1)


def test_weights_are_those_that_the_layer_computed_with():
    """weight_norm makes a weight anew at every call."""
    found = layer("LSTM")
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(found, "weight_hh_l0")
    assert cw.trace(found, given("plain")).only.distance <= BY_TABLE


def test_a_compiled_module_runs_eagerly():
    """torch.compile would call no later hooks; a trace does not compile at all."""
    torch.compiler.reset()
    found: Any = torch.compile(Loop(nn.GRUCell(INPUTS, UNITS)), backend="eager")
    traces = cw.trace(found, given("plain"))

    assert [len(each.output) for each in traces.values()] == [STEPS]


def test_names_are_said_where_one_is_wrong():
    """A trace lists what it has, and a layer's values are found by name."""
    traces = cw.trace(layer("LSTM"), given("plain"))
    assert isinstance(traces.only, LayerTrace)
    assert list(traces.only) == [f"{n}_l0" for n in ("i", "f", "g", "o", "c'", "h'")]
    with pytest.raises(KeyError, match="it has LSTM"):
        _ = traces["lstm"]
    with pytest.raises(KeyError, match="i_l0, f_l0"):
        _ = traces.only["i"]
    assert "i_l0" in repr(traces)
    assert "i_l0" in repr(traces.only)
    assert traces.get("nothing") is None


def test_the_front_door_is_the_room():
    """`cellwright.trace` is the function, however it is reached."""
    assert cw.trace is tracing.trace


def test_a_batch_without_rows_is_traced():
    """Nothing is no special case: T steps of 0 rows."""
    shown = cw.trace(layer("LSTM"), torch.zeros(STEPS, 0, INPUTS)).only
    assert shown["i_l0"].shape == (STEPS, 0, UNITS)


def test_lists_of_first_states_are_as_good_as_tuples():
    """What a layer takes, its trace takes."""
    found = layer("LSTM")
    states: Sequence[Tensor] = first_states(found, "plain")
    assert cw.trace(found, given("plain"), list(states)).only.distance <= BY_TABLE
