from typing import Any

import pytest
import torch
from torch import Tensor

import cellwright as cw
from layer_runs import assert_same, states_of

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def dropin(kind: str, **options: Any) -> Any:
    """Return a drop-in with 3 inputs and 4 units."""
    torch.manual_seed(3)
    return getattr(cw.nn, kind)(3, 4, dtype=torch.float64, **options)


def by_hand(layer: Any, x: Tensor, suffix: str = "_l0") -> dict[str, Tensor]:
    """Return the values of one layer and direction, written down step by step."""
    rows: dict[str, list[Tensor]] = {}
    weights = [
        getattr(layer, f"{name}{suffix}")
        for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
    ]
    h = c = x.new_zeros(x.shape[1], 4)
    for step in x:
        one = torch.nn.functional.linear(step, *weights[:2])
        two = torch.nn.functional.linear(h, *weights[2:])
        a, b = (pre.chunk(GATES[layer.mode.split("_")[0]], -1) for pre in (one, two))
        match layer.mode:
            case "LSTM":
                i, f, o = (torch.sigmoid(a[k] + b[k]) for k in (0, 1, 3))
                g = torch.tanh(a[2] + b[2])
                c = f * c + i * g
                h = o * torch.tanh(c)
                found = {"i": i, "f": f, "g": g, "o": o, "c'": c, "h'": h}
            case "GRU":
                r, z = (torch.sigmoid(a[k] + b[k]) for k in (0, 1))
                n = torch.tanh(a[2] + r * b[2])
                h = (1 - z) * n + z * h
                found = {"r": r, "z": z, "n": n, "h'": h}
            case _:
                h = torch.tanh(a[0] + b[0])
                found = {"h'": h}
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in rows.items()}


@pytest.mark.parametrize("kind", GATES)
def test_traces_equal_a_run_by_hand(kind: str):
    """Every value of the cell comes at every step, with its gradient."""
    layer, x = dropin(kind), sequence(6, 2, 3)
    expected = by_hand(layer, x)
    output, _, traces = layer(x, trace=list(expected))
    assert_same(traces, {f"{name}_l0": value for name, value in expected.items()})
    assert_same({"o": output}, {"o": layer(x)[0]})
    wrt = list(layer.parameters())
    for name, value in expected.items():
        pull = sequence(6, 2, 4)
        found, other = (
            torch.autograd.grad((v * pull).sum(), wrt, retain_graph=True)
            for v in (traces[f"{name}_l0"], value)
        )
        gradients = [{str(i): g for i, g in enumerate(each)} for each in (found, other)]
        assert_same(gradients[0], gradients[1])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_traces_have_torchs_suffixes_and_the_inputs_layout(
    batch_first: bool, batched: bool
):
    """Layers and directions are apart; time runs as in the input for both."""
    form = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first}
    layer, x = dropin("GRU", **form), sequence(6, 2, 3)

    def given(value: Tensor) -> Tensor:
        if not batched:
            return value[:, 0]
        return value.transpose(0, 1) if batch_first else value

    output, _, traces = layer(given(x), trace=("z", "h'"))
    names = [
        f"{n}_l{k}{r}" for k in (0, 1) for r in ("", "_reverse") for n in ("z", "h'")
    ]
    assert list(traces) == names
    for row in (0, 1):
        ahead = by_hand(layer, x, f"_l{row}")
        back = by_hand(layer, x.flip(0), f"_l{row}_reverse")
        back = {name: value.flip(0) for name, value in back.items()}
        for name in ("z", "h'"):
            assert_same({"t": traces[f"{name}_l{row}"]}, {"t": given(ahead[name])})
            found = {"t": traces[f"{name}_l{row}_reverse"]}
            assert_same(found, {"t": given(back[name])})
        x = torch.cat([ahead["h'"], back["h'"]], dim=-1)
    assert_same({"o": output}, {"o": given(x)})


def test_any_cell_traces_scalars_and_numbers():
    """A scalar has no axis of features; what is the same at every step stands there."""
    text = """input x [input_size]
input time
state h [hidden_size]
state t
weight W [hidden_size, input_size]
output h'
size_of = mean(W @ x) + time
half = 0.5 * hidden_size
t' = t + size_of
h' = tanh(W @ x + half * h + t')
"""
    layer: Any = cw.nn.Recurrent(text, 3, 4, dtype=torch.float64)
    x, time = sequence(6, 2, 3), sequence(6, 2)
    _, (_, t), traces = layer(x, time=time, trace=("size_of", "half", "t'"))
    expected = (x @ layer.W_l0.T).mean(-1) + time
    assert_same({"v": traces["size_of_l0"]}, {"v": expected})
    assert_same({"v": traces["t'_l0"]}, {"v": expected.cumsum(0)})
    assert torch.equal(traces["half_l0"], torch.full((6, 2), 2.0).double())
    assert torch.equal(t[0], traces["t'_l0"][-1])


def test_traces_of_steps_that_do_not_happen():
    """Values are 0 there; a state is what it stays."""
    layer, x = dropin("LSTM", bidirectional=True), sequence(6, 2, 3)
    mask = torch.ones(6, 2, dtype=torch.bool)
    mask[2, 0] = mask[3:, 1] = False
    _, (_, c), traces = layer(x, mask=mask, trace=("f", "c'"))
    for suffix in ("_l0", "_l0_reverse"):
        gate = traces[f"f{suffix}"]
        assert not gate[~mask].any()
        assert gate[mask].all()
    ahead, back = traces["c'_l0"], traces["c'_l0_reverse"]
    assert torch.equal(ahead[2, 0], ahead[1, 0])
    assert torch.equal(ahead[5, 1], ahead[2, 1])
    assert torch.equal(back[2, 0], back[3, 0])
    assert not back[3:, 1].any()
    assert torch.equal(c, torch.stack([ahead[-1], back[0]]))


@pytest.mark.parametrize("kind", ["gru", "lstm", "izhikevich"])
def test_all_states_are_those_of_every_prefix(kind: str):
    """return_states="all" has after each step what a shorter run ends with."""
    layer: Any = cw.nn.Recurrent(kind, 4, 4, num_layers=2, dtype=torch.float64)
    x = sequence(5, 3, 4)
    output, states = layer(x, return_states="all")
    assert_same({"o": output}, {"o": layer(x)[0]})
    for t in range(5):
        last = states_of(layer(x[: t + 1])[1])
        for every, one in zip(states_of(states), last, strict=True):
            assert every.shape == (5, *one.shape)
            assert torch.equal(every[t], one)


@pytest.mark.parametrize("batched", [True, False])
def test_all_states_of_both_directions(batched: bool):
    """Time runs as in the input: a direction that reads backwards ends at step 0."""
    form = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    layer = dropin("LSTM", **form)
    x = sequence(3, 6, 3) if batched else sequence(6, 3)
    output, last = layer(x)
    same, states = layer(x, return_states="all")
    assert_same({"o": same}, {"o": output})
    for every, one in zip(states, last, strict=True):
        assert every.shape == (6, *one.shape)
        assert_same({"s": every[-1][::2]}, {"s": one[::2]})
        assert_same({"s": every[0][1::2]}, {"s": one[1::2]})
    h = states[0][:, 2:]  # [T, D, B, H] of the last layer
    beside = torch.cat([h[:, 0], h[:, 1]], dim=-1)
    expected = output.transpose(0, 1) if batched else output
    assert_same({"o": beside}, {"o": expected})
    gradients = torch.autograd.grad(states[1][2].sum(), list(layer.parameters()))
    assert all(g.any() for g in gradients)


def test_trace_and_all_states_together():
    """A trace comes third, and a state that is traced too is the same."""
    layer, x = dropin("LSTM"), sequence(6, 2, 3)
    _, (h, c), traces = layer(x, trace=("c'", "o", "c'"), return_states="all")
    assert list(traces) == ["c'_l0", "o_l0"]
    assert torch.equal(traces["c'_l0"], c[:, 0])
    assert_same({"h": h[:, 0]}, {"h": traces["o_l0"] * c[:, 0].tanh()})


@pytest.mark.parametrize("grad", [True, False])
def test_writing_into_the_output_changes_no_trace(grad: bool):
    """The output, a trace of the same value and the last state are tensors apart."""
    with torch.set_grad_enabled(grad):
        output, state, traces = dropin("GRU")(sequence(5, 2, 3), trace=["h'"])
    kept = traces["h'_l0"].clone(), state.clone()
    output.detach().zero_()

    assert torch.equal(traces["h'_l0"], kept[0])
    assert torch.equal(state, kept[1])
