from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import cellwright as cw
from cellwright.explain.inside.horizons import StateHorizon, reach
from cellwright.explain.inside.trace_errors import ReplayError, TraceError
from cellwright.tolerances import TOLERANCES, error

STEPS, ROWS, INPUTS, UNITS = 6, 3, 2, 4
BOUND = TOLERANCES["rewritten", "float64"].bound
DOUBLE: dict[str, Any] = {"dtype": torch.float64}
LINEAR = """input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
constant a = 0.5
output h'
h' = a * h + W @ x
"""
LAYERS: dict[str, Callable[..., Any]] = {
    "LSTM": lambda **o: nn.LSTM(INPUTS, UNITS, **DOUBLE, **o),
    "projected": lambda **o: nn.LSTM(INPUTS, UNITS, proj_size=3, **DOUBLE, **o),
    "GRU": lambda **o: nn.GRU(INPUTS, UNITS, **DOUBLE, **o),
    "RNN": lambda **o: nn.RNN(INPUTS, UNITS, **DOUBLE, **o),
    "ours": lambda **o: cw.nn.Recurrent(
        "peephole_lstm", INPUTS, UNITS, backend="reference", **DOUBLE, **o
    ),
    "put out apart": lambda **o: cw.nn.Recurrent(
        "jordan", INPUTS, UNITS, output_size=3, backend="reference", **DOUBLE, **o
    ),
}


def sequence(*shape: int) -> Tensor:
    """Return random numbers with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def layer(kind: str = "GRU", **options: Any) -> Any:
    """Return a layer with fixed weights, in float64."""
    torch.manual_seed(3)
    return LAYERS[kind](**options)


def states(value: Any) -> tuple[Tensor, ...]:
    """Return states as a tuple."""
    return (value,) if isinstance(value, Tensor) else tuple(value)


def by_cutting(found: Any, x: Tensor, step: int) -> list[Tensor]:
    """Return the gradients of the last output at the states after a step, by autograd.

    The sequence is cut in two calls there, with the states as leaves between.
    """
    _, between = found(x[: step + 1])
    leaves = [state.detach().requires_grad_() for state in states(between)]
    output, _ = found(x[step + 1 :], leaves[0] if len(leaves) == 1 else tuple(leaves))
    loss = output[-1].square().sum() / 2
    return list(torch.autograd.grad(loss, leaves))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_norms_are_those_of_autograd_between_two_calls(kind: str, layers: int):
    """What the last layer hands on as its first state has that gradient, at every k."""
    options = {} if kind == "put out apart" else {"num_layers": layers}
    found, x = layer(kind, **options), sequence(STEPS, ROWS, INPUTS)
    horizon = cw.horizon(found, x)
    top = next(name for name in horizon if name.endswith(f"_l{found.num_layers - 1}"))
    for k in range(1, STEPS):
        gradient = by_cutting(found, x, STEPS - 1 - k)[0][-1]
        assert error(horizon[top].rows[k], gradient.norm(dim=-1)) <= BOUND, k


def test_norms_are_those_of_a_loop_by_hand():
    """Of every layer and state, where a state also acts within its own step."""
    found, x = layer("LSTM", num_layers=2), sequence(STEPS, ROWS, INPUTS)
    zeros = torch.zeros(ROWS, UNITS, **DOUBLE)
    h, c = [zeros, zeros], [zeros, zeros]
    nodes: dict[str, list[Tensor]] = {f"{s}_l{n}": [] for n in (0, 1) for s in "hc"}
    for step in x:
        value = step
        for n in (0, 1):
            ih, hh, b_ih, b_hh = found.all_weights[n]
            i, f, g, o = (value @ ih.T + h[n] @ hh.T + b_ih + b_hh).chunk(4, -1)
            c[n] = f.sigmoid() * c[n] + i.sigmoid() * g.tanh()
            value = h[n] = o.sigmoid() * c[n].tanh()
            nodes[f"h_l{n}"].append(h[n])
            nodes[f"c_l{n}"].append(c[n])
    loss = h[1].square().sum() / 2
    horizon = cw.horizon(found, x)
    for name, values in nodes.items():
        gradients = torch.autograd.grad(loss, values, retain_graph=True)
        expected = torch.stack([each.norm(dim=-1) for each in gradients[::-1]])
        assert error(horizon[f"LSTM.{name}"].rows, expected) <= BOUND


def test_a_linear_network_decays_by_its_factor():
    """The gradient k steps back is a power: 0.5 to the k, exactly."""
    found = cw.nn.Recurrent(LINEAR, 1, 1, backend="reference")
    (one,) = cw.horizon(found, torch.ones(9, 2, 1)).values()

    assert one.relative.tolist() == [0.5**k for k in range(9)]
    assert one.reach == 6
    assert one.ended is None
    assert one.rows.shape == (9, 2)
    assert one.finding.startswith("decay")


def test_the_state_itself_is_what_a_gradient_at_k_0_is_of():
    """At the loss's own step: the output is a state, so the gradient is the output."""
    found, x = layer("GRU"), sequence(STEPS, ROWS, INPUTS)
    output = found(x)[0]
    for at in (-1, 2):
        rows = cw.horizon(found, x, at=at)["GRU.h_l0"].rows
        assert error(rows[0], output[at].detach().norm(dim=-1)) <= BOUND
        assert len(rows) == (STEPS if at < 0 else 3)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_a_cell_in_a_loop_has_the_horizon_of_its_layer(name: str):
    """Calls of a cell are one time, with a batch and without."""
    whole = layer(name)
    cell = getattr(nn, f"{name}Cell")(INPUTS, UNITS, **DOUBLE)
    for one, other in zip(cell.parameters(), whole.parameters(), strict=True):
        one.data.copy_(other.data)

    def loop(x: Tensor) -> Tensor:
        h: Any = None
        for step in x:
            h = cell(step, h)
        return states(h)[0]

    x = sequence(STEPS, ROWS, INPUTS)
    for each in (x, x[:, 0]):
        found, expected = cw.horizon(loop, each, model=cell), cw.horizon(whole, each)
        assert len(found) == len(expected)
        for mine, theirs in zip(found.values(), expected.values(), strict=True):
            assert error(mine.rows, theirs.rows) <= BOUND


@pytest.mark.parametrize("kind", ["LSTM", "ours"])
def test_a_packed_row_has_the_horizon_that_it_has_alone(kind: str):
    """Each row's steps are counted from its own end, and padding counts nothing."""
    lengths, x = [3, 6, 2], sequence(STEPS, ROWS, INPUTS)
    found = layer(kind, bidirectional=True)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    runs = [cw.horizon(found, packed, at=at) for at in (-1, 0)]
    if kind == "ours":
        padded = x.clone()
        padded[3:, 0] = torch.nan
        runs += [cw.horizon(found, padded, lengths=lengths, at=at) for at in (-1, 0)]
    for number, together in enumerate(runs):
        at = (-1, 0)[number % 2]
        for row, steps in enumerate(lengths):
            alone = cw.horizon(found, x[:steps, row], at=at)
            for name, one in together.items():
                rows = one.rows[:, row]
                assert error(rows[~rows.isnan()], alone[name].rows[:, 0]) <= BOUND


def test_a_backward_direction_is_counted_as_it_reads():
    """At the first step it is that of the same weights on the sequence turned."""
    found, x = layer("GRU", bidirectional=True), sequence(STEPS, ROWS, INPUTS)
    turned = layer("GRU", bidirectional=False)
    for name, weight in turned.named_parameters():
        weight.data.copy_(getattr(found, f"{name}_reverse").data)
    backward = cw.horizon(found, x, at=0)["GRU.h_l0_reverse"]
    forward = cw.horizon(turned, x.flip(0))["GRU.h_l0"]

    assert error(backward.rows, forward.rows) <= BOUND
    assert len(cw.horizon(found, x)["GRU.h_l0_reverse"].norms) == 1


class Model(nn.Module):
    """A recurrent layer, and what people put behind it."""

    def __init__(self, form: str):
        super().__init__()
        first = form != "time first"
        self.rnn, self.form = layer("GRU", batch_first=first), form
        self.head = nn.Linear(UNITS, 2, **DOUBLE)

    def forward(self, x: Tensor) -> Any:
        """Return the head's output, in one of the forms that people return."""
        output, _ = self.rnn(x)
        match self.form:
            case "last step":
                return self.head(output[:, -1])
            case "turned":
                return self.head(output).transpose(0, 1)
            case "tuple":
                return self.head(output), "attention"
            case _:
                return self.head(output)


@pytest.mark.parametrize(
    "form", ["time first", "batch first", "last step", "turned", "tuple"]
)
def test_the_steps_of_an_output_are_found(form: str):
    """In any layout the loss is of the last step, as if that alone were returned."""
    model = Model(form)
    x = sequence(STEPS, ROWS, INPUTS)
    found = cw.horizon(model, x if form == "time first" else x.transpose(0, 1))
    output = model.head(model.rnn(x if form == "time first" else x.transpose(0, 1))[0])
    last = output[-1] if form == "time first" else output[:, -1]

    assert len(found["rnn.h_l0"].norms) == STEPS
    assert error(torch.tensor(found.loss), last.square().sum() / 2) <= 4 * BOUND


@pytest.mark.parametrize("first", [True, False], ids=["batch first", "time first"])
def test_as_many_steps_as_rows_are_read_as_the_layer_reads(first: bool):
    """Where the shape does not tell time from batch, the layer's layout does."""
    model = Model("batch first" if first else "time first")
    x = sequence(ROWS, ROWS, INPUTS)
    output = model(x)
    last = output[:, -1] if first else output[-1]
    found = cw.horizon(model, x)

    assert error(torch.tensor(found.loss), last.square().sum() / 2) <= 4 * BOUND
    assert len(found["rnn.h_l0"].norms) == ROWS


def test_several_steps_are_averaged():
    """Norms over several t are the mean over those that reach as far back."""
    found, x = layer("LSTM"), sequence(STEPS, ROWS, INPUTS)
    three, five = (cw.horizon(found, x, at=at)["LSTM.c_l0"].norms for at in (2, 4))
    both = cw.horizon(found, x, at=(2, -2))["LSTM.c_l0"].norms

    assert error(both[:3], (three + five[:3]) / 2) <= BOUND
    assert error(both[3:], five[3:]) <= BOUND


def test_a_loss_of_ones_own_is_measured():
    """`loss=` makes a number of whatever the run returns."""
    found, x = layer("GRU"), sequence(STEPS, ROWS, INPUTS)
    mine = cw.horizon(found, x, loss=lambda result: result[1].sum())["GRU.h_l0"]
    gradient = by_gradient_of_sum(found, x)

    assert error(mine.rows[1], gradient) <= BOUND


def by_gradient_of_sum(found: Any, x: Tensor) -> Tensor:
    """Return the norms of the gradient of the last state's sum at the one before."""
    leaf = found(x[:-1])[1].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(found(x[-1:], leaf)[1].sum(), leaf)
    return gradient[0].norm(dim=-1)


# ------------------------------------------------------------------ loops and cuts


def windows(found: Any, x: Tensor, size: int, between: str) -> list[Tensor]:
    """Run a layer window by window, and hand its states on in one way or another."""
    hx: Any = None
    outputs: list[Tensor] = []
    for window in x.split(size):
        if between == "no_grad" and len(outputs) < len(x) - size:
            with torch.no_grad():
                output, state = found(window, hx)
        else:
            output, state = found(window, hx)
        match between:
            case "detach":
                hx = tuple(each.detach() for each in states(state))
            case "nothing":
                hx = None
            case _:
                hx = states(state)
        hx = hx[0] if hx is not None and len(hx) == 1 else hx
        outputs += output
    return outputs


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("kind", ["LSTM", "ours"])
def test_states_that_are_carried_carry_the_gradient(kind: str, size: int):
    """A loop that hands states on reaches as far as one call does."""
    found, x = layer(kind, num_layers=2), sequence(STEPS, ROWS, INPUTS)
    looped = cw.horizon(windows, found, x, size, "carry", model=found)

    for mine, theirs in zip(
        looped.values(), cw.horizon(found, x).values(), strict=True
    ):
        assert error(mine.rows, theirs.rows) <= BOUND
        assert mine.ended is None


@pytest.mark.parametrize(
    ("between", "words"),
    [
        ("detach", "states that call 2 of the layer was given were detached"),
        ("nothing", "call 2 of the layer was given no states"),
        ("no_grad", "call 1 of the layer ran under torch.no_grad()"),
    ],
)
def test_a_cut_between_calls_is_seen_and_told(between: str, words: str):
    """Exactly 0 from the cut on, and what is there, is told apart from decay."""
    found, x = layer("LSTM"), sequence(STEPS, ROWS, INPUTS)
    whole = cw.horizon(found, x[-2:], found(x[:-2])[1])
    for name, one in cw.horizon(windows, found, x, 2, between, model=found).items():
        assert one.ended == 2
        assert not one.norms[2:].any()
        assert one.finding.startswith("a cut, not decay: exactly 0 from k=2 on")
        assert words in one.finding
        if between != "nothing":
            assert error(one.norms[:2], whole[name].norms) <= BOUND
        assert one.reach == 1


def test_a_stateful_model_is_seen_as_it_acts():
    """A model that carries its own state and detaches it reaches one call back."""

    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.state = layer("GRU"), None

        def forward(self, x: Tensor) -> Tensor:
            output, state = self.rnn(x, self.state)
            self.state = state.detach()
            return output

    model, x = Stateful(), sequence(STEPS, ROWS, INPUTS)

    def run() -> list[Tensor]:
        return [model(step)[-1] for step in x.split(1)]

    one = cw.horizon(run, model=model)["rnn.h_l0"]
    assert (one.ended, one.reach) == (1, 0)
    assert model.state is None


def test_carried_states_are_cut_by_detach_alone():
    """`CarriedStates` hands states on by hooks; its detach is the cut."""
    model, x = (
        cw.nn.LSTM(INPUTS, UNITS, backend="reference", **DOUBLE),
        sequence(6, 1, 2),
    )
    carried = cw.nn.CarriedStates(model)

    def run(cut: bool) -> Tensor:
        carried.clear()
        output = x
        for window in x.split(2):
            with carried:
                output, _ = model(window)
            if cut:
                carried.detach()
        return output[-1].square().sum()

    assert cw.horizon(run, True, model=model)["LSTM.h_l0"].ended == 2
    assert cw.horizon(run, False, model=model)["LSTM.h_l0"].ended is None


def test_a_training_loop_is_measured_by_its_last_loss():
    """Backward passes of earlier windows, and their optimiser's steps, do no harm."""
    found, x = layer("LSTM"), sequence(STEPS, ROWS, INPUTS)
    optimiser = torch.optim.SGD(found.parameters(), 0.1)
    before = [weight.detach().clone() for weight in found.parameters()]

    def train(last: bool) -> Tensor:
        hx, loss = None, torch.zeros(())
        for number, window in enumerate(x.split(2)):
            output, hx = found(window, hx)
            hx = tuple(each.detach() for each in hx)
            loss = output[-1].square().mean()
            if last or number < 2:
                loss.backward()
                optimiser.step()
        return loss

    assert cw.horizon(train, False, model=found)["LSTM.c_l0"].ended == 2
    assert all(map(torch.equal, before, found.parameters()))
    with pytest.raises(TraceError, match="before its backward"):
        cw.horizon(train, True, model=found)


def test_a_reset_ends_the_gradient_without_a_cut():
    """Behind a reset nothing of before is left, and the graph goes on."""
    found = cw.nn.Recurrent("gru", INPUTS, UNITS, backend="reference")
    reset = torch.zeros(STEPS, 1, dtype=torch.bool)
    reset[4] = True
    x = sequence(STEPS, 1, INPUTS).float()
    one = cw.horizon(found, x, reset=reset)["Recurrent.h_l0"]

    assert one.ended == 2
    assert one.finding.endswith("a reset begins a new sequence there")


def test_units_that_are_off_and_numbers_too_small_are_no_cut():
    """Exact zeros of a slope, and of float32, are told as what they are."""
    found = nn.RNN(1, 2, nonlinearity="relu", bias=False)
    with torch.no_grad():
        for weight in found.parameters():
            weight.fill_(0.05)
    small = cw.horizon(found, torch.ones(60, 1, 1))["RNN.h_l0"]
    x = torch.ones(6, 1, 1)
    x[3] = -9
    off = cw.horizon(found, x)["RNN.h_l0"]

    assert small.ended is not None
    assert small.ended > 40
    assert small.finding.endswith("no cut: decay below the smallest number of float32")
    assert off.ended == 3
    assert off.finding.endswith("a slope of exactly 0, as of units that are off")


def test_a_state_that_nothing_leads_to_is_told():
    """A layer whose output the loss does not use has no horizon."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.cut = layer("GRU"), layer("GRU")

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)[0] + self.cut(x)[0].detach()

    found = cw.horizon(Two(), sequence(STEPS, ROWS, INPUTS))
    assert found["used.h_l0"].ended is None
    assert (found["cut.h_l0"].ended, found["cut.h_l0"].reach) == (0, None)
    assert "no gradient arrives at all" in found["cut.h_l0"].finding
    assert "cut.h_l0" in repr(found)


def test_frozen_weights_have_the_same_horizon():
    """States have gradients where no weight has one."""
    found, x = layer("LSTM"), sequence(STEPS, ROWS, INPUTS)
    expected = cw.horizon(found, x)["LSTM.h_l0"].norms
    found.requires_grad_(False)

    assert torch.equal(cw.horizon(found, x)["LSTM.h_l0"].norms, expected)


def test_kernels_have_the_horizon_of_the_reference():
    """Our layers run by kernels; their gradients through time are the reference's."""
    found = cw.nn.LSTM(INPUTS, UNITS)
    x = sequence(STEPS, ROWS, INPUTS).float()
    one = cw.horizon(found, x)["LSTM.c_l0"]
    found.backend = "reference"

    assert torch.equal(one.norms, cw.horizon(found, x)["LSTM.c_l0"].norms)


def test_further_requests_of_a_call_are_answered():
    """A call that asks for traces and all states gets them, step by step too."""
    found = cw.nn.Recurrent("lstm", INPUTS, UNITS, backend="reference", **DOUBLE)
    asked: dict[str, Any] = {"trace": ("f", "c'"), "return_states": "all"}
    x = sequence(STEPS, ROWS, INPUTS)
    expected = found(x, lengths=[3, 6, 2], **asked)
    seen: list[Any] = []

    def run() -> Tensor:
        seen.append(found(x, lengths=[3, 6, 2], **asked))
        return seen[0][0]

    cw.horizon(run, model=found)
    (output, all_states, traces) = seen[0]
    assert error(output, expected[0]) <= BOUND
    for mine, theirs in zip(all_states, expected[1], strict=True):
        assert error(mine, theirs) <= BOUND
    for name, value in expected[2].items():
        assert error(traces[name], value) <= BOUND


def test_a_layer_that_computes_something_else_is_refused():
    """Steps that do not lead to the layer's own output show no gradient of it."""

    class Own(nn.GRU):
        def forward(self, input: Any, hx: Any = None) -> Any:
            output, state = super().forward(input, hx)
            return output + 1, state

    with pytest.raises(ReplayError, match="a forward of its own"):
        cw.horizon(Own(INPUTS, UNITS), torch.ones(3, 1, INPUTS))


def test_a_name_that_is_not_there_is_told():
    """Records are found by layer and state."""
    found = cw.horizon(layer("LSTM"), sequence(STEPS, ROWS, INPUTS))
    assert isinstance(found["LSTM.c_l0"], StateHorizon)
    with pytest.raises(KeyError, match=r"it has LSTM.h_l0, LSTM.c_l0"):
        _ = found["LSTM.c"]


@pytest.mark.parametrize(
    ("norms", "expected"),
    [([1.0], 0), ([0.0, 2.0, 0.02, 0.03], 3), ([1.0, 0.01], 0), ([0.0, 0.0], None)],
)
def test_reach_is_the_last_above_a_hundredth(norms: list[float], expected: int | None):
    """The largest norm may lie anywhere, and a hundredth itself is not above it."""
    assert reach(torch.tensor(norms, dtype=torch.float64)) == expected
