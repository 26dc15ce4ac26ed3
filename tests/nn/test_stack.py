"""Stacks: every wiring beside the same layers called by hand."""

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from torch import Tensor, nn
from torch.nn.utils import rnn
from torch.utils._pytree import tree_leaves

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn.errors import OptionError
from cellwright.nn.wiring import WIRINGS
from layer_runs import assert_same
from strategies import assert_close, drawn_cells, lengths, random_cells, seeds

MIXED = ["gru", "lstm", "peephole_lstm"]
SIZES = [5, 4, 6]
T, B, I = 7, 2, 3  # noqa: E741, the field's name of the axis


def sequence(*shape: int, seed: int = 7) -> Tensor:
    """Return a random tensor with a fixed seed."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def mixed(wiring: Any, cells: Any = MIXED, sizes: Any = SIZES, **options: Any) -> Any:
    """Return a stack of unlike layers in float64, made under one seed.

    It runs by the reference, which takes no compiler; what is a kernel's matter asks.
    """
    torch.manual_seed(4)
    options.setdefault("project", wiring == "residual")
    options.setdefault("dtype", torch.float64)
    options.setdefault("backend", "reference")
    return cw.nn.Stack.of_cells(cells, I, sizes, wiring, **options)


def outcome(
    run: Callable[..., Any],
    module: nn.Module,
    x: Tensor,
    scale: float = 1.0,
    **asked: Any,
) -> dict[str, Tensor]:
    """Return all that a call returns, and all gradients for random cotangents.

    On the way these are so many times as large as what is returned.
    """
    leaves = {"x": x.clone().requires_grad_(), **dict(module.named_parameters())}
    values = dict(enumerate(tree_leaves(run(leaves["x"], **asked))))
    losses = [(v * sequence(*v.shape, seed=i)).sum() for i, v in values.items()]
    loss = scale * torch.stack(losses).sum()
    grads = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    found = {str(name): value.detach() for name, value in values.items()}
    return found | dict(zip(leaves, (grad / scale for grad in grads), strict=True))


# What each wiring is, written out for three layers of torch.nn.
def plain(a: Any, b: Any, c: Any, x: Tensor) -> Any:
    """Each layer reads the one below."""
    first, s = a(x)
    second, t = b(first)
    third, u = c(second)
    return third, (s, t, u)


def skip(a: Any, b: Any, c: Any, x: Tensor) -> Any:
    """Each layer reads the input and the one below."""
    first, s = a(x)
    second, t = b(torch.cat([x, first], 2))
    third, u = c(torch.cat([x, second], 2))
    return third, (s, t, u)


def residual(a: Any, b: Any, c: Any, x: Tensor) -> Any:
    """Each layer adds to what it reads."""
    first, s = a(x)
    first = first + x
    second, t = b(first)
    second = second + first
    third, u = c(second)
    return third + second, (s, t, u)


def dnc(a: Any, b: Any, c: Any, x: Tensor) -> Any:
    """Each layer reads the input and the one below; all are put out."""
    first, s = a(x)
    second, t = b(torch.cat([x, first], 2))
    third, u = c(torch.cat([x, second], 2))
    return torch.cat([first, second, third], 2), (s, t, u)


BY_HAND = {"plain": plain, "skip": skip, "residual": residual, "dnc": dnc}
WIDTHS = {
    "plain": [(3, 5), (5, 4), (4, 6)],
    "skip": [(3, 5), (8, 4), (7, 6)],
    "residual": [(3, 3), (3, 3), (3, 3)],
    "dnc": [(3, 5), (8, 4), (7, 6)],
}


def test_every_wiring_is_written_out_here():
    """A wiring that is added needs its composition by hand."""
    assert BY_HAND.keys() == WIRINGS.keys() == WIDTHS.keys()


@pytest.mark.parametrize("backend", ["reference", "c"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_wiring_is_the_composition_of_torchs_layers(wiring: Any, backend: str):
    """Outputs, states and every gradient are those of nn.LSTM, called by hand."""
    torch.manual_seed(1)
    theirs = nn.ModuleList(
        nn.LSTM(i, h, dtype=torch.float64) for i, h in WIDTHS[wiring]
    )
    pairs = zip(WIDTHS[wiring], theirs, strict=True)
    ours = [
        cw.nn.LSTM.from_torch(copy.deepcopy(layer), backend=backend)
        for _, layer in pairs
    ]
    stack = cw.nn.Stack(ours, wiring)
    by_hand: Any = BY_HAND[wiring]
    x = sequence(T, B, I)
    expected = outcome(lambda x: by_hand(*theirs, x), theirs, x)
    found = outcome(stack, stack, x)
    renamed = {name.removeprefix("layers."): value for name, value in found.items()}
    assert_same(renamed, expected, backend)
    assert stack(x)[0].shape[-1] == stack.output_size


def sigmoid(a: Any) -> Any:
    """Return the logistic function."""
    return 1 / (1 + np.exp(-a))


def controller(weights: Sequence[Mapping[str, Any]], x: Any) -> Any:
    """Run the controller of Graves et al., 2016, Methods, for one sequence in NumPy.

    Layer l's gates see [x_t; h_{t-1}^l; h_t^{l-1}] with h_t^0 = 0, by one matrix each;
    what the memory is asked with is made of [h_t^1; ...; h_t^L].
    """
    h = [np.zeros(len(w["b_i"])) for w in weights]
    s = [np.zeros(len(w["b_i"])) for w in weights]
    found: list[Any] = []
    for chi in x:
        below = np.zeros(0)
        for layer, w in enumerate(weights):
            seen = np.concatenate([chi, h[layer], below])
            i = sigmoid(w["W_i"] @ seen + w["b_i"])
            f = sigmoid(w["W_f"] @ seen + w["b_f"])
            o = sigmoid(w["W_o"] @ seen + w["b_o"])
            s[layer] = f * s[layer] + i * np.tanh(w["W_s"] @ seen + w["b_s"])
            below = h[layer] = o * np.tanh(s[layer])
        found.append(np.concatenate(h))
    return np.stack(found), h, s


@pytest.mark.parametrize("backend", ["reference", "c"])
def test_dnc_wiring_is_the_papers_controller(backend: str):
    """A stack of the library's LSTM is the equations of the paper, step by step."""
    stack = mixed("dnc", "lstm", backend=backend)
    weights: list[dict[str, Any]] = []
    for layer in stack.layers:
        own: dict[str, Any] = {}
        for theirs, ours in (("i", "i"), ("f", "f"), ("o", "o"), ("s", "g")):
            W = getattr(layer, f"W_{ours}_l0").detach()
            U = getattr(layer, f"U_{ours}_l0").detach()
            own[f"W_{theirs}"] = torch.cat([W[:, :I], U, W[:, I:]], 1).numpy()
            own[f"b_{theirs}"] = getattr(layer, f"b_{ours}_l0").detach().numpy()
        weights.append(own)
    x = sequence(T, B, I)
    output, states = stack(x)
    for row in range(B):
        y, h, s = controller(weights, x[:, row].numpy())
        found = {"y": output[:, row]}
        expected = {"y": torch.tensor(y)}
        for layer, (last_h, last_c) in enumerate(states):
            found |= {f"h{layer}": last_h[0, row], f"s{layer}": last_c[0, row]}
            expected[f"h{layer}"] = torch.tensor(h[layer])
            expected[f"s{layer}"] = torch.tensor(s[layer])
        assert_same(found, expected, backend)


def count(module: nn.Module) -> int:
    """Return the number of weights."""
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("wiring", WIRINGS)
def test_number_of_parameters_follows_from_what_a_layer_reads(wiring: Any):
    """LSTMs of 5, 4 and 6 units on 3 features: 4H(I + H + 1) each, as docs say."""
    reads = {
        "plain": (3, 5, 4),
        "skip": (3, 3 + 5, 3 + 4),
        "residual": (3, 5, 4),
        "dnc": (3, 3 + 5, 3 + 4),
    }[wiring]
    layers = sum(4 * h * (i + h + 1) for i, h in zip(reads, SIZES, strict=True))
    added = 5 * 3 + 4 * 5 + 6 * 4 if wiring == "residual" else 0
    assert count(mixed(wiring, "lstm")) == layers + added
    widths = {"dnc": 5 + 4 + 6}
    assert mixed(wiring, "lstm").output_size == widths.get(wiring, 6)


def test_one_cell_of_one_size_in_a_plain_stack_is_num_layers():
    """There is nothing that the two ways do otherwise, to the bit."""
    stack = mixed("plain", ["gru", "gru"], 4)
    layer = cw.nn.Recurrent("gru", I, 4, 2, backend="reference", dtype=torch.float64)
    weights = {
        name.replace("_l0", f"_l{index}"): value
        for index, each in enumerate(stack.layers)
        for name, value in each.state_dict().items()
    }
    layer.load_state_dict(weights)
    x = sequence(T, B, I)
    output, h = layer(x)
    found, states = stack(x)
    assert torch.equal(found, output)
    assert torch.equal(torch.cat(states), h)


def test_weights_are_named_by_layer():
    """A person reads which layer a weight is of; what is added comes last."""
    stack = mixed("residual", ["elman", "elman"], [3, 4])
    assert list(stack.state_dict()) == [
        *(f"layers.0.{name}_l0" for name in ("W", "U", "b")),
        *(f"layers.1.{name}_l0" for name in ("W", "U", "b")),
        "projections.1.weight",
    ]


def step_by_step(stack: Any, x: Tensor, inputs: Mapping[str, Tensor]) -> Any:
    """Return what a stack does, one step of all layers after the other."""
    states: list[Any] = [None] * len(stack.layers)
    steps: list[Tensor] = []
    for time in range(len(x)):
        seen = below = x[time : time + 1]
        outputs: list[Tensor] = []
        for index, layer in enumerate(stack.layers):
            read = below
            if index and stack.wiring in ("skip", "dnc"):
                read = torch.cat([seen, below], 2)
            names = [i.name for i in layer.graph.inputs[1:]]
            more = {name: inputs[name][time : time + 1] for name in names}
            output, states[index] = layer(read, states[index], **more)
            if stack.wiring == "residual":
                output = output + stack.projections[index](below)
            below = output
            outputs.append(output)
        steps.append(torch.cat(outputs, 2) if stack.wiring == "dnc" else below)
    return torch.cat(steps), states


@random_cells
@given(first=drawn_cells(), second=drawn_cells(), seed=seeds)
def test_random_cells_in_random_wirings_are_their_steps(
    first: Any, second: Any, seed: int
):
    """Layer by layer over time is step by step over layers, with every gradient."""
    random = Random(seed)
    wiring: Any = random.choice(list(WIRINGS))
    torch.manual_seed(seed)
    below, hidden_size = lengths(first.cell, random)
    cells: list[Any] = [first.cell, second.cell, "gru"]
    random.shuffle(cells)
    layers: list[Any] = []
    options: Any = {"backend": "reference", "dtype": torch.float64}
    width = x_width = below
    for index, cell in enumerate(cells):
        reads = WIRINGS[wiring].reads(index, x_width, width)
        try:
            layer = cw.nn.Recurrent(cell, reads, hidden_size, **options)
        except OptionError:  # its input has a width of its own
            layer = cw.nn.Recurrent("elman", reads, hidden_size, **options)
        layers.append(layer)
        width = layer.output_size
    stack = cw.nn.Stack(layers, wiring, project=wiring == "residual")
    x = sequence(4, B, x_width, seed=seed)
    shapes = {
        (i.name, tuple(size.evaluate(layer._sizes[0]) for size in i.shape))
        for layer in layers
        for i in layer.graph.inputs[1:]
    }
    assume(len(shapes) == len(dict(shapes)))  # one input by one name
    inputs = {name: sequence(4, B, *shape) for name, shape in shapes}

    def stepped(scale: float) -> dict[str, Tensor]:
        return outcome(lambda x: step_by_step(stack, x, inputs), stack, x, scale)

    expected, scaled = stepped(1.0), stepped(1.1)
    # Where slopes are large inside and cancel, their roundings are left, and those of
    # other numbers are others.
    bound = TOLERANCES["rewritten", "float64"].bound / 10
    pairs = ((scaled[name], value) for name, value in expected.items())
    assume(all(error(*pair) <= bound for pair in pairs))
    assert_close(outcome(lambda x: stack(x, **inputs), stack, x), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_stream_puts_out_the_sequence_to_the_bit(wiring: Any, dtype: torch.dtype):
    """Step by step, for streams that come and go, as with one layer."""
    sizes = [I, I, I] if wiring == "residual" else SIZES
    stack = mixed(wiring, MIXED, sizes, backend="c", dtype=dtype, project=False).eval()
    x = sequence(T, 5, I).to(dtype)
    stream = cw.Stream(stack)
    rows = [stream.step(step, streams=range(5)) for step in x[:4]]
    stream.leave(3)
    late = [stream.step(step[:3], streams=range(3)) for step in x[4:]]
    for row in range(3):
        with torch.no_grad():
            alone = stack(x[:, row : row + 1])[0][:, 0]
        found = torch.stack([step[row] for step in [*rows, *late]])
        assert torch.equal(found, alone)
    assert "layers.1.c" in stream.snapshot()["states"]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_states_are_carried_over_windows(wiring: Any):
    """Windows with carried states are the sequence; the gradient ends at detach."""
    stack, x = mixed(wiring), sequence(8, B, I)
    carried = cw.nn.CarriedStates(stack)
    outputs: list[Tensor] = []
    for window in x.split(4):
        with carried:
            outputs.append(stack(window)[0])
        carried.detach()
    assert_same({"y": torch.cat(outputs)}, {"y": stack(x)[0]}, "c")
    (grad,) = torch.autograd.grad(outputs[1].sum(), [stack.layers[0].W_r_l0])
    _, state = stack(x[:4])
    state = tuple(map(detach, state))
    by_hand, _ = stack(x[4:], state)
    (expected,) = torch.autograd.grad(by_hand.sum(), [stack.layers[0].W_r_l0])
    assert_same({"grad": grad}, {"grad": expected}, "c")


def detach(state: Any) -> Any:
    """Return a layer's state off the graph."""
    if isinstance(state, Tensor):
        return state.detach()
    return tuple(map(Tensor.detach, state))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("wiring", WIRINGS)
def test_compiles_as_one_graph_with_the_same_bits(wiring: Any):
    """All that a call can ask for, forward and backward, without a break."""
    torch._dynamo.reset()
    stack = mixed(wiring, MIXED[:2], SIZES[:2], backend="c")
    run = torch.compile(stack, fullgraph=True, backend="aot_eager")
    x = sequence(T, B, I)
    mask = torch.ones(T, B, dtype=torch.bool)
    mask[2, 1] = False
    everything = {
        "lengths": torch.tensor([T, 4]),
        "mask": mask,
        "reset": ~mask.roll(2, 0),
        "trace": ("i", "z"),
        "return_states": "all",
    }
    for asked in ({}, everything):
        expected = outcome(stack, stack, x, **asked)
        found = outcome(run, stack, x, **asked)
        assert [n for n, v in expected.items() if not torch.equal(found[n], v)] == []


@pytest.mark.parametrize("wiring", WIRINGS)
def test_second_derivatives_are_those_of_the_layers(wiring: Any):
    """A stack adds nothing that torch cannot follow twice."""
    stack = mixed(wiring, MIXED[:2], [3, 2])
    x = sequence(2, 1, I).requires_grad_()
    bound = TOLERANCES["torch's gradgradcheck", "float64"].bound
    assert torch.autograd.gradgradcheck(lambda x: stack(x)[0], x, atol=bound, rtol=0)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_copies_compute_the_same(wiring: Any):
    """Copies, pickles, replicas of DataParallel and state dicts."""
    stack, x = mixed(wiring), sequence(T, B, I)
    expected = stack(x)[0]
    other = mixed(wiring)
    for p in other.parameters():
        nn.init.zeros_(p)
    other.load_state_dict(stack.state_dict())
    again = pickle.loads(pickle.dumps(stack))  # noqa: S301, our own
    for twin in (copy.deepcopy(stack), again, other, replica(stack)):
        assert torch.equal(twin(x)[0], expected)
        assert torch.equal(twin(x, trace=("z",))[0], expected)


def replica(module: nn.Module) -> nn.Module:
    """Return a copy as torch.nn.DataParallel makes one for a device."""
    made: Any = module._replicate_for_data_parallel()
    for name, child in module.named_children():
        setattr(made, name, replica(child))
    for name, value in module._parameters.items():
        setattr(made, name, None if value is None else value.detach())
    return made


@pytest.mark.parametrize("wiring", WIRINGS)
def test_layouts_are_those_of_the_layers(wiring: Any):
    """batch_first, unbatched and packed input give the same numbers."""
    stack, x = mixed(wiring), sequence(T, B, I)
    output, states = stack(x, lengths=[T, 4])
    turned = mixed(wiring, batch_first=True)
    found, others = turned(x.transpose(0, 1), lengths=[T, 4])
    pairs = [(found.transpose(0, 1), output)]
    pairs += zip(tree_leaves(others), tree_leaves(states), strict=True)
    for ours, theirs in pairs:
        if wiring == "residual":
            # BLAS may take another product for projections of rows that lie apart.
            assert_same({"": ours}, {"": theirs}, "c")
        else:
            assert torch.equal(ours, theirs)
    alone, single = stack(x[:4, 1])
    assert_same({"y": alone}, {"y": output[:4, 1]}, "c")
    assert single[0].shape == (1, 5)
    packed = rnn.pack_sequence([x[:4, 1], x[:, 0]], enforce_sorted=False)
    unpacked, counts = rnn.pad_packed_sequence(stack(packed)[0])
    assert counts.tolist() == [4, T]
    assert_same({"y": unpacked}, {"y": output.flip(1)}, "c")


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_padding_reaches_nothing(wiring: Any, batch_first: bool):
    """NaN where no step happens is in no output and no gradient; the output is 0."""
    stack, x = mixed(wiring, batch_first=batch_first), sequence(T, B, I)
    mask = torch.ones(T, B, dtype=torch.bool)
    mask[2, 0] = False
    happens = mask.clone()
    happens[4:, 1] = False
    bad = torch.where(happens.unsqueeze(-1), x, torch.nan)
    turn = (lambda v: v.transpose(0, 1)) if batch_first else (lambda v: v)
    asked = {"lengths": [T, 4], "mask": turn(mask)}
    expected = outcome(stack, stack, turn(x), **asked)
    found = outcome(stack, stack, turn(bad), **asked)
    assert_same(found, expected, "exact", "any")
    assert not turn(stack(turn(bad), **asked)[0])[~happens].any()
    alone = stack(turn(bad[:, 1])[:4] if not batch_first else bad[:4, 1])[0]
    whole = turn(stack(turn(bad), lengths=torch.tensor([0, 4]))[0])[:4, 1]
    assert_same({"y": whole}, {"y": alone}, "c")
    single = stack(bad[:, 1], lengths=4)[0]
    assert_same({"y": single[:4]}, {"y": alone}, "c")
    assert not single[4:].any()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_reset_begins_anew_in_every_layer(wiring: Any):
    """Behind a reset there is nothing of what was before, in either direction."""
    stack, x = mixed(wiring, bidirectional=True), sequence(T, B, I)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    parts = torch.cat([stack(x[:3])[0], stack(x[3:])[0]])
    assert_same({"y": stack(x, reset=reset)[0]}, {"y": parts}, "c")


def test_traces_and_all_states_are_those_of_the_layers():
    """Each layer gives what it has of the names, under its own name."""
    stack, x = mixed("skip"), sequence(T, B, I)
    _, states, traces = stack(x, trace=("c'", "z"), return_states="all")
    assert list(traces) == ["layers.0.z_l0", "layers.1.c'_l0", "layers.2.c'_l0"]
    assert torch.equal(traces["layers.1.c'_l0"], states[1][1][:, 0])
    gru, lstm, _ = stack.layers
    below, _, own = gru(x, trace=("z",))
    assert torch.equal(own["z_l0"], traces["layers.0.z_l0"])
    h, _ = lstm(torch.cat([x, below], 2), return_states="all")[1]
    assert torch.equal(h, states[1][0])


def test_a_layer_may_begin_with_what_its_cell_declares():
    """Of given states each layer takes its own, and None is none."""
    stack, x = mixed("plain"), sequence(T, B, I)
    _, (h, hc, _) = stack(x)
    gru, lstm, peephole = stack.layers
    expected = peephole(lstm(gru(x, h)[0], hc)[0])[0]
    assert torch.equal(stack(x, [h, hc, None])[0], expected)


def test_further_inputs_reach_the_cells_that_have_them():
    """By their names, and no other layer sees them."""
    torch.manual_seed(3)
    options: Any = {"backend": "reference", "dtype": torch.float64}
    layers = [
        cw.nn.Recurrent("gru", I, 4, **options),
        cw.nn.Recurrent("phased_lstm", 4, 5, **options),
    ]
    stack, x = cw.nn.Stack(layers), sequence(T, B, I)
    time = sequence(T, B).abs().cumsum(0)
    expected = layers[1](layers[0](x)[0], time=time)[0]
    assert torch.equal(stack(x, time=time)[0], expected)


def test_dropout_is_what_a_layer_reads_of_the_one_below():
    """With all of it dropped a layer still sees the input; what is added stays."""
    x = sequence(T, B, I)
    stack = mixed("dnc", ["gru", "lstm"], [5, 4], dropout=1.0)
    gru, lstm = stack.layers
    first, _ = gru(x)
    second, _ = lstm(torch.cat([x, torch.zeros_like(first)], 2))
    assert torch.equal(stack(x)[0], torch.cat([first, second], 2))
    whole = torch.cat([first, lstm(torch.cat([x, first], 2))[0]], 2)
    assert torch.equal(stack.eval()(x)[0], whole)
    stack = mixed("residual", ["gru", "lstm"], I, dropout=1.0)
    gru, lstm = stack.layers
    first = gru(x)[0] + x
    assert torch.equal(stack(x)[0], lstm(torch.zeros_like(x))[0] + first)


def test_torchs_layers_stack_and_can_be_converted():
    """They run by torch, without what torch.nn has not; convert makes them ours."""
    torch.manual_seed(2)
    stack = cw.nn.Stack([nn.LSTM(I, 4, 2), nn.GRU(4 + I, 5)], "skip")
    x = sequence(T, B, I).float()
    expected, _ = stack(x)
    packed = rnn.pack_sequence([x[:, 0], x[:4, 1]])
    assert stack(packed)[0].data.shape == (T + 4, 5)
    assert [row.backend for row in stack.backend_report().rows] == ["torch"] * 2
    with pytest.raises(OptionError, match="has no lengths, trace"):
        stack(x, lengths=[T, 4], trace=("z",))
    report = cw.convert(stack)
    assert [row.layer for row in report.rows] == ["layers.0", "layers.1"]
    assert_same({"y": stack(x)[0]}, {"y": expected}, dtype="float32")
    assert list(stack(x, trace=("z",), lengths=[T, 4])[2]) == ["layers.1.z_l0"]
    assert {row.backend for row in stack.backend_report().rows} == {"c"}


def test_runs_under_autocast():
    """Layers below and the input come in different dtypes, and compute in their own."""
    for wiring in BY_HAND:
        stack = mixed(wiring, sizes=I, project=False, dtype=torch.float32, backend="c")
        x = sequence(T, B, I).bfloat16()
        with torch.autocast("cpu", torch.bfloat16):
            found = stack(x)[0]
        assert found.dtype == torch.float32
        assert torch.equal(found, stack(x.float())[0])


def test_of_cells_takes_one_cell_or_one_size_for_all():
    """Names as `Recurrent` has them; the numbers of both are equal."""
    sizes = {"one cell": ("gru", [5, 4]), "one size": (["gru", "lstm"], 4)}
    for cells, size in sizes.values():
        stack = mixed("dnc", cells, size)
        assert len(stack.layers) == 2
        assert stack.input_size == I
    assert len(mixed("plain", "gru", 4).layers) == 1
    assert mixed("skip", bidirectional=True).layers[1].input_size == I + 2 * 5
    assert mixed("plain", backend="c").layers[0].backend == "c"


def test_repr_says_the_wiring():
    """What differs from the defaults is printed, and the layers below."""
    text = repr(mixed("residual", dropout=0.1))
    assert "wiring='residual', dropout=0.1, project=True" in text
    assert "(1): Recurrent('lstm', input_size=5, hidden_size=4)" in text
