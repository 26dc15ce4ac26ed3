import contextlib
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.nn.errors import StateError
from layer_runs import assert_same, states_of

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
LEARNED = """input x [input_size]
state h [hidden_size] = h_0
weight h_0 [hidden_size]
weight W [hidden_size, input_size]
weight U [hidden_size, hidden_size]
output h'
h' = tanh(W @ x + U @ h)
"""
SCALAR = """input x [input_size]
state h [hidden_size]
state t = 1
weight W [hidden_size, input_size]
output h'
t' = 0.5 * t
h' = tanh(W @ x + h * t)
"""
LAYERS: dict[str, Callable[..., Any]] = {
    "cell": lambda **o: cw.nn.Recurrent("lstm", 3, 4, **DOUBLE, **o),
    "reference": lambda **o: cw.nn.Recurrent(
        "gru", 3, 4, backend="reference", **DOUBLE, **o
    ),
    "first values": lambda **o: cw.nn.Recurrent("izhikevich", 3, 4, **DOUBLE, **o),
    "learned": lambda **o: cw.nn.Recurrent(LEARNED, 3, 4, **DOUBLE, **o),
    "scalar": lambda **o: cw.nn.Recurrent(SCALAR, 3, 4, **DOUBLE, **o),
    "drop-in": lambda **o: cw.nn.LSTM(3, 4, proj_size=2, **DOUBLE, **o),
    "by torch": lambda **o: cw.nn.GRU(3, 4, backend="torch", **DOUBLE, **o),
    "torch": lambda **o: nn.LSTM(3, 4, **DOUBLE, **o),
    "torch RNN": lambda **o: nn.RNN(3, 4, **DOUBLE, **o),
}


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def layer(kind: str, **options: Any) -> Any:
    """Return a layer with 3 inputs, with fixed weights."""
    torch.manual_seed(3)
    return LAYERS[kind](**options)


class Model(nn.Module):
    """A layer and what people put behind it; its forward knows of no states."""

    def __init__(self, core: Any):
        super().__init__()
        self.core = core

    def forward(self, x: Any, **inputs: Any) -> Any:
        """Return the layer's output and, beside it, what it ended with."""
        return self.core(x, **inputs)


def windows(x: Tensor, *lengths: int) -> Iterator[Tensor]:
    """Cut a sequence along its first axis."""
    yield from x.split(list(lengths))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_windows_are_the_sequence_with_all_gradients(kind: str, layers: int):
    """Values, states and gradients through all windows are those of one call."""
    model, x = Model(layer(kind, num_layers=layers)), sequence(7, 2, 3)
    carried = cw.nn.CarriedStates(model)
    outputs: list[Tensor] = []
    for window in windows(x, 1, 4, 2):
        with carried:
            outputs.append(model(window)[0])
    whole, state = model(x)

    def results(output: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        found = {"output": output, **{f"state {i}": s for i, s in enumerate(states)}}
        loss = torch.stack([(v * v.cos()).sum() for v in found.values()]).sum()
        wrt = dict(model.named_parameters())
        grads = torch.autograd.grad(loss, list(wrt.values()), retain_graph=True)
        return found | dict(zip(wrt, grads, strict=True))

    found = results(torch.cat(outputs), list(carried.values["core"]))
    assert_same(found, results(whole, states_of(state)))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("form", ["batch_first", "unbatched", "packed", "by name"])
def test_every_form_of_a_call_is_carried(kind: str, form: str):
    """Layout, packing and arguments by name change nothing in what is carried."""
    core = layer(kind, batch_first=form == "batch_first")
    carried, x = cw.nn.CarriedStates(core), sequence(5, 2, 3)
    for window in windows(x, 2, 3):
        with carried:
            match form:
                case "batch_first":
                    core(window.transpose(0, 1))
                case "unbatched":
                    core(window[:, 0])
                case "packed":
                    steps = [len(window), len(window) - 1]
                    core(nn.utils.rnn.pack_padded_sequence(window, steps))
                case _:
                    core(input=window, hx=None)
    expected = layer(kind)
    if form == "packed":
        rows = [expected(x[:, :1])[1], expected(x[[0, 2, 3], 1:])[1]]
        pairs = zip(*map(states_of, rows), strict=True)
        states = [torch.cat(pair, 1) for pair in pairs]
    else:
        states = states_of(expected(x[:, :1] if form == "unbatched" else x)[1])
    found = {str(i): value for i, value in enumerate(carried.values[""])}
    assert_same(found, {str(i): value for i, value in enumerate(states)})


def test_last_of_all_states_is_carried():
    """A call that asks for the states after every step ends with the last one."""
    core, x = layer("cell"), sequence(5, 2, 3)
    carried = cw.nn.CarriedStates(core)
    for window in windows(x, 2, 3):
        with carried:
            core(window, return_states="all", lengths=[len(window), len(window) - 1])
    rows = [core(x[:, :1])[1], core(x[[0, 2, 3], 1:])[1]]
    states = [torch.cat(pair, 1) for pair in zip(*rows, strict=True)]
    found = dict(zip("hc", carried.values[""], strict=True))
    assert_same(found, dict(zip("hc", states, strict=True)))


def test_detach_ends_gradients_and_keeps_values():
    """After detach a window's gradient is that of a call with constant states."""
    core, x = layer("learned"), sequence(5, 2, 3)
    carried = cw.nn.CarriedStates(core)
    with carried:
        core(x[:2])
    carried.detach()
    with carried:
        output, _ = core(x[2:])
    _, h = core(x[:2])
    expected, _ = core(x[2:], h.detach())
    wrt = dict(core.named_parameters())
    grads = [
        torch.autograd.grad(o.sum(), list(wrt.values()), materialize_grads=True)
        for o in (output, expected)
    ]
    found, other = (dict(zip(wrt, each, strict=True)) for each in grads)
    assert_same(found | {"output": output}, other | {"output": expected})
    assert not found["h_0_l0"].any()


def test_rows_that_begin_reach_learned_first_states():
    """A row that is added begins as the cell declares, with its gradient."""
    core, x = layer("learned", num_layers=2), sequence(5, 2, 3)
    carried = cw.nn.CarriedStates(core)
    with carried:
        core(x[:2])
    carried.detach()
    carried.select([1, None])
    with carried:
        output, _ = core(x[2:])
    alone, _ = core(x[2:, 1:])
    assert_same({"row": output[:, 1:]}, {"row": alone})
    wrt = [core.h_0_l0, core.h_0_l1]
    found = torch.autograd.grad(output.sum(), wrt)
    expected = torch.autograd.grad(alone.sum(), wrt)
    assert all(grad.abs().min() > 0 for grad in expected)
    assert_same(
        dict(zip("01", found, strict=True)), dict(zip("01", expected, strict=True))
    )


def test_rows_are_kept_left_out_and_put_in_order():
    """Row by row, what is selected goes on as if it had been alone."""
    core, x = layer("scalar"), sequence(6, 4, 3)
    carried = cw.nn.CarriedStates(core)
    with carried:
        core(x[:2])
    carried.select([3, 0])
    assert carried.batch_size == 2
    with carried:
        output, _ = core(x[2:, [3, 0]])
    assert_same({"o": output}, {"o": core(x)[0][2:, [3, 0]]})


def test_model_is_an_ordinary_one_outside_of_blocks():
    """No hook stays behind, neither after a block nor after an error in one."""
    model, x = Model(layer("drop-in")), sequence(3, 2, 3)
    before = model(x)[0]
    carried = cw.nn.CarriedStates(model)
    with carried:
        model(x)
    with pytest.raises(RuntimeError), carried:
        model(x[..., :2])
    hooks = [model.core._forward_hooks, model.core._forward_pre_hooks]
    assert not any(hooks)
    assert torch.equal(model(x)[0], before)


def test_block_with_an_error_leaves_the_states():
    """What fails behind the layer takes no step."""
    core, x = layer("cell"), sequence(3, 2, 3)
    carried = cw.nn.CarriedStates(core)
    with carried:
        core(x)
    before = carried.values

    def fail() -> None:
        with carried:
            core(x)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert carried.values is before
    with carried:
        output, _ = core(x)
    assert_same({"o": output}, {"o": core(torch.cat([x, x]))[0][3:]})


def test_states_by_name_are_saved_and_loaded():
    """A dictionary of plain tensors has them; loading copies it."""
    model = nn.ModuleDict({"a": layer("cell"), "b": layer("torch RNN", num_layers=2)})
    x, carried = sequence(3, 2, 3), cw.nn.CarriedStates(model)

    def run() -> list[Tensor]:
        with carried:
            return [model[name](x)[0] for name in "ab"]

    run()
    saved = pickle.loads(pickle.dumps(carried.state_dict()))  # noqa: S301, our own
    shapes = {name: tuple(value.shape) for name, value in saved.items()}
    assert shapes == {"a.h": (1, 2, 4), "a.c": (1, 2, 4), "b.h": (2, 2, 4)}
    expected = run()
    again = cw.nn.CarriedStates(model)
    again.load_state_dict(saved)
    for value in saved.values():
        value.zero_()
    carried = again
    for found, value in zip(run(), expected, strict=True):
        assert torch.equal(found, value)
    again.load_state_dict({})
    assert again.values == {}
    assert again.batch_size is None


def test_states_are_forgotten():
    """After clear the first states count again, for a batch of any size."""
    core, x = layer("first values"), sequence(3, 2, 3)
    carried = cw.nn.CarriedStates(core)
    with carried:
        core(x)
    carried.clear()
    with carried:
        output, _ = core(x[:, :1])
    assert torch.equal(output, core(x[:, :1])[0])


def test_carried_states_can_be_copied():
    """A copy of model and states together goes its own way."""
    core, x = layer("cell"), sequence(3, 2, 3)
    carried = cw.nn.CarriedStates(core)
    with carried, torch.no_grad():
        core(x)
    again, other = copy.deepcopy((carried, core))
    with again:
        output, _ = other(x)
    assert_same({"o": output}, {"o": core(torch.cat([x, x]))[0][3:]})
    assert torch.equal(carried.values[""][0], core(x)[1][0])


def test_compiled_model_is_no_silent_reset():
    """What torch.compile made carries the states, or says that it calls no hooks."""
    core, x = layer("torch"), sequence(3, 2, 3)
    compiled: Any = torch.compile(core, backend="eager")
    with torch.no_grad():
        compiled(x)
        carried = cw.nn.CarriedStates(compiled)
        outputs: list[Tensor] = []
        # Whether later hooks are called differs among the versions of torch.
        with contextlib.suppress(StateError):
            for _ in range(2):
                with carried:
                    outputs.append(compiled(x)[0])
            expected = core(torch.cat([x, x]))[0]
            assert_same({"o": torch.cat(outputs)}, {"o": expected})
