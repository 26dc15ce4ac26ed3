import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.compiler.choose import BackendError
from cellwright.errors import CellwrightError
from cellwright.nn.errors import DtypeError, OptionError, ShapeError
from layer_runs import assert_same, outcome, states_of

PHASED = "phased_lstm"
TEXTS = Path(cw.cells.__file__).parent
SLSTM = {"heads": 2}


def layer(cell: Any = "lstm", hidden_size: int = 4, **options: Any) -> Any:
    """Return a layer with 3 inputs in float64, made under one seed."""
    torch.manual_seed(2)
    return cw.nn.Recurrent(cell, 3, hidden_size, dtype=torch.float64, **options)


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def test_cell_may_be_a_name_a_path_a_text_or_a_cell():
    """Every form of a cell gives the same layer."""
    path = TEXTS / "lstm.cell"
    forms = ["lstm", path, str(path), path.read_text(), cw.cells.load("lstm")]
    outputs = [layer(form)(sequence(5, 2, 3))[0] for form in forms]
    assert all(torch.equal(output, outputs[0]) for output in outputs)


def test_parameters_carry_the_cells_names_with_torchs_suffixes():
    """Every layer and direction has the cell's parameters, in the file's order."""
    made = layer("elman", num_layers=2, bidirectional=True)
    assert list(made.state_dict()) == [
        name + suffix
        for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
        for name in ("W", "U", "b")
    ]
    assert made.W_l0.shape == (4, 3)
    assert made.W_l1_reverse.shape == (4, 8)


def test_number_of_parameters_is_one_bias_a_gate():
    """LSTM(1 -> 300) has 362,400 parameters, the drop-in 363,600."""
    ours = cw.nn.Recurrent("lstm", 1, 300)
    assert sum(p.numel() for p in ours.parameters()) == 362_400
    assert sum(p.numel() for p in cw.nn.LSTM(1, 300).parameters()) == 363_600


def test_state_is_a_tensor_for_one_and_a_tuple_for_more():
    """The state's form follows the cell."""
    assert isinstance(layer("gru")(sequence(5, 2, 3))[1], Tensor)
    state = layer("slstm", **SLSTM)(sequence(5, 2, 3))[1]
    assert isinstance(state, tuple)
    assert len(state) == 4


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "slstm"])
def test_shapes_of_output_and_states(cell: str, two: bool):
    """Axes are torch.nn's: [T, B, D*H] and [L*D, B, H]."""
    options = SLSTM if cell == "slstm" else {}
    made = layer(cell, num_layers=2, bidirectional=two, **options)
    output, state = made(sequence(5, 2, 3))
    assert output.shape == (5, 2, 4 * (1 + two))
    assert all(s.shape == (2 * (1 + two), 2, 4) for s in states_of(state))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_batch_first_moves_input_and_output_only(cell: str):
    """[B, T, I] gives the transposed output, and the very same state."""
    x = sequence(5, 2, 3)
    output, state = layer(cell)(x)
    other, last = layer(cell, batch_first=True)(x.transpose(0, 1))
    assert torch.equal(other, output.transpose(0, 1))
    assert all(map(torch.equal, states_of(last), states_of(state)))
    hx = tuple(torch.randn_like(s) for s in states_of(state))
    with_states = layer(cell, batch_first=True)(x.transpose(0, 1), hx)[0]
    assert torch.equal(with_states, layer(cell)(x, hx)[0].transpose(0, 1))


@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched_input_is_one_row(batch_first: bool):
    """[T, I] is a batch of one without its axis, states included."""
    made = layer("lstm", batch_first=batch_first, bidirectional=True)
    output, (h, c) = made(sequence(5, 3))
    assert (output.shape, h.shape) == ((5, 8), (2, 4))
    x = sequence(5, 3).unsqueeze(0 if batch_first else 1)
    batched = made(x, (h.unsqueeze(1), c.unsqueeze(1)))
    again = made(sequence(5, 3), (h, c))
    assert torch.equal(again[0], batched[0].squeeze(0 if batch_first else 1))
    assert torch.equal(again[1][1], batched[1][1].squeeze(1))


def test_reverse_direction_reads_backwards():
    """The second half of the output is the reversed layer on the flipped sequence."""
    both = layer("gru", bidirectional=True)
    one = layer("gru")
    state = {k: v for k, v in both.state_dict().items() if k.endswith("_reverse")}
    one.load_state_dict({k.removesuffix("_reverse"): v for k, v in state.items()})
    x = sequence(5, 2, 3)
    assert_same(
        {"o": both(x)[0][..., 4:]}, {"o": one(x.flip(0))[0].flip(0)}, "exact", "any"
    )


def test_layers_see_the_output_below():
    """Two layers are the second on the output of the first."""
    both = layer("lstm", num_layers=2)
    parts = [cw.nn.Recurrent("lstm", n, 4, dtype=torch.float64) for n in (3, 4)]
    for k, part in enumerate(parts):
        mine = {n: v for n, v in both.state_dict().items() if n.endswith(f"_l{k}")}
        part.load_state_dict({n.replace(f"_l{k}", "_l0"): v for n, v in mine.items()})
    x = sequence(5, 2, 3)
    below = parts[0](x)
    above = parts[1](below[0])
    output, (h, c) = both(x)
    assert torch.equal(output, above[0])
    assert torch.equal(h, torch.cat([below[1][0], above[1][0]]))
    assert torch.equal(c, torch.cat([below[1][1], above[1][1]]))


def test_dropout_acts_between_layers_in_training_only():
    """It drops outputs of lower layers, never of the last, and rests in evaluation."""
    made = layer("elman_relu", num_layers=2, dropout=1.0)
    made.b_l1.data.fill_(1.0)
    x = sequence(5, 2, 3)
    blind = made(x)[0]
    assert torch.equal(blind, made(x * 2)[0])
    assert blind.any()
    made.eval()
    assert not torch.equal(made(x)[0], made(x * 2)[0])


def test_dropout_with_one_layer_warns():
    """There is nothing between one layer and another."""
    with pytest.warns(UserWarning, match="num_layers=1"):
        layer("gru", dropout=0.5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "slstm", "lstm_norm_joint"])
def test_bias_false_is_bias_zero(cell: str):
    """Without biases the numbers are those of biases of 0, and no bias is left."""
    options = SLSTM if cell == "slstm" else {}
    without = layer(cell, bias=False, **options)
    biases = {p.name for p in cw.cells.load(cell).graph.parameters if p.role == "bias"}
    zeroed = layer(cell, **options)
    assert biases
    assert not any(name.rpartition("_l")[0] in biases for name in without.state_dict())
    state = {name: torch.zeros_like(v) for name, v in zeroed.state_dict().items()}
    zeroed.load_state_dict({**state, **without.state_dict()})
    x = sequence(5, 2, 3)
    bound = TOLERANCES["rewritten", "float64"].bound
    assert error(without(x)[0], zeroed(x)[0]) <= bound


def test_first_states_are_used_and_get_gradients():
    """Given hx changes the numbers, and gradients reach it."""
    made = layer("lstm", num_layers=2)
    hx = [sequence(2, 2, 4), sequence(2, 2, 4) + 1]
    found = outcome(made, sequence(5, 2, 3), hx)
    assert found["gradient of first 0"].abs().min() > 0
    assert found["gradient of first 1"].abs().min() > 0
    assert not torch.equal(found["output"], made(sequence(5, 2, 3))[0])


def test_declared_first_value_is_taken_without_hx():
    """An sLSTM starts its m at minus infinity, as its file says."""
    made = layer("slstm", **SLSTM)
    zeros = torch.zeros(1, 2, 4, dtype=torch.float64)
    infinite = torch.full_like(zeros, float("-inf"))
    x = sequence(5, 2, 3)
    assert torch.equal(made(x)[0], made(x, (zeros, zeros, zeros, infinite))[0])
    assert made(x)[0].isfinite().all()


@pytest.mark.parametrize("batch_first", [False, True])
def test_further_input_is_given_by_name(batch_first: bool):
    """A time stamp goes with the input, step by step, in its layout."""
    x, time = sequence(5, 2, 3), torch.arange(10.0).double().view(5, 2)
    expected = layer(PHASED)(x, time=time)[0]
    assert not torch.equal(layer(PHASED)(x, time=time * 3)[0], expected)
    if batch_first:
        made = layer(PHASED, batch_first=True)
        output = made(x.transpose(0, 1), time=time.T)[0]
        assert torch.equal(output.transpose(0, 1), expected)
    one = layer(PHASED)(x[:, 0], time=time[:, 0])[0]
    assert_same({"o": one}, {"o": expected[:, 0]})


def test_further_input_is_read_backwards_too():
    """The reverse direction sees time stamps with the steps that they belong to."""
    made = layer(PHASED, bidirectional=True)
    one = layer(PHASED)
    state = {k: v for k, v in made.state_dict().items() if k.endswith("_reverse")}
    one.load_state_dict({k.removesuffix("_reverse"): v for k, v in state.items()})
    x, time = sequence(5, 2, 3), torch.arange(10.0).double().view(5, 2)
    backwards = one(x.flip(0), time=time.flip(0))[0].flip(0)
    assert torch.equal(made(x, time=time)[0][..., 4:], backwards)


def test_sizes_are_arguments():
    """proj_size and heads are set by name, and shape the parameters."""
    made = layer("lstm_proj", proj_size=2)
    assert made.P_l0.shape == (2, 4)
    assert made.output_size == 2
    assert made(sequence(5, 2, 3))[0].shape == (5, 2, 2)
    assert layer("slstm", heads=2).R_i_l0.shape == (2, 2, 2)
    assert layer("slstm", heads=1).R_i_l0.shape == (1, 4, 4)


def test_counts_are_arguments():
    """The depth of a recurrent highway network sets how many weights it has."""
    (count, _), *_ = cw.cells.load("rhn").graph.counts
    small = layer("rhn", **{count: 1})
    large = layer("rhn", **{count: 3})
    assert len(list(large.parameters())) > len(list(small.parameters()))
    assert large(sequence(5, 2, 3))[0].shape == (5, 2, 4)


def test_constants_are_arguments():
    """A constant changes the numbers and is no parameter."""
    cell = "antisymmetric"
    still = layer(cell, eps=0.0)
    assert not still(sequence(5, 2, 3))[0].any()
    assert layer(cell, eps=0.5)(sequence(5, 2, 3))[0].any()
    assert "eps_l0" not in still.state_dict()


@pytest.mark.parametrize(
    ("cell", "bias", "span"),
    [
        ("lstm", "b_f", slice(0, 4)),
        ("slstm", "b_f", slice(0, 4)),
        ("lstm_norm_joint", "b", slice(4, 8)),
    ],
)
def test_forget_bias_fills_the_forget_gates_bias(cell: str, bias: str, span: slice):
    """Only the described gate's entries are set, in every layer and direction."""
    form = {"num_layers": 2, "bidirectional": True}
    plain = layer(cell, **form)
    made = layer(cell, **form, forget_bias=3.0)
    for name, value in plain.state_dict().items():
        expected = value.clone()
        if name.rpartition("_l")[0] == bias:
            expected[span] = 3.0
        assert torch.equal(made.state_dict()[name], expected), name


@pytest.mark.parametrize(
    ("cell", "options"), [("elman", {}), ("gru", {}), ("lstm", {"bias": False})]
)
def test_forget_bias_without_a_forget_gate_is_an_error(cell: str, options: Any):
    """A cell that describes no forget gate with a bias cannot be given one."""
    with pytest.raises(OptionError, match=f"{cell} names no forget gate"):
        layer(cell, forget_bias=1.0, **options)


def test_reset_parameters_draws_anew():
    """Weights change with it, and one seed gives the same ones."""
    made = layer("lstm", forget_bias=1.0)
    first = made.W_i_l0.detach().clone()
    made.reset_parameters()
    assert not torch.equal(made.W_i_l0, first)
    assert (made.b_f_l0 == 1).all()
    torch.manual_seed(2)
    made.reset_parameters()
    assert torch.equal(made.W_i_l0, first)


def test_first_weights_lie_in_torchs_range():
    """Weights without an initialiser are uniform within 1 / sqrt(hidden_size)."""
    made = layer("lstm", hidden_size=100)
    bound = 0.1
    state = made.state_dict()
    assert all(weight.abs().max() <= bound for weight in state.values())
    assert state["W_i_l0"].abs().max() > 0.95 * bound
    assert state["U_f_l0"].mean().abs() < 0.1 * bound


@pytest.mark.parametrize("cell", ["lstm", "slstm", PHASED])
def test_copies_and_pickles_compute_the_same(cell: Any):
    """deepcopy, pickle and state_dict carry the whole layer."""
    options = SLSTM if cell == "slstm" else {}
    made = layer(cell, num_layers=2, **options)
    inputs = {"time": torch.arange(10.0).double().view(5, 2)} if cell == PHASED else {}
    x = sequence(5, 2, 3)
    expected = made(x, **inputs)[0]
    other = layer(cell, num_layers=2, **options)
    other.reset_parameters()
    other.load_state_dict(made.state_dict())
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), other):  # noqa: S301
        assert torch.equal(twin(x, **inputs)[0], expected)
        assert twin.W_i_l0 is not made.W_i_l0


def test_dtype_is_the_layers():
    """float32 by default, another by argument or by `to`."""
    made = cw.nn.Recurrent("lstm", 3, 4)
    assert made.W_i_l0.dtype == torch.float32
    assert made(sequence(5, 2, 3).float())[0].dtype == torch.float32
    assert made.double()(sequence(5, 2, 3))[0].dtype == torch.float64
    narrow = cw.nn.Recurrent("gru", 3, 4, dtype=torch.bfloat16, backend="reference")
    assert narrow(sequence(5, 2, 3).bfloat16())[0].dtype == torch.bfloat16


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "lstm_norm_joint"])
def test_nan_stays_in_its_sample(cell: str):
    """A NaN in one sample makes that one NaN from its step on, and no other."""
    made = layer(cell, **(SLSTM if cell == "slstm" else {}))
    x = sequence(5, 3, 3)
    clean = made(x)[0]
    x[2, 1] = float("nan")
    dirty = made(x)[0]
    assert dirty[2:, 1].isnan().all()
    assert torch.equal(dirty[:2], clean[:2])
    assert torch.equal(dirty[:, [0, 2]], clean[:, [0, 2]])


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
def test_empty_batch_gives_empty_tensors(cell: str):
    """B=0 runs, as in torch.nn."""
    made = layer(cell, num_layers=2, **(SLSTM if cell == "slstm" else {}))
    output, state = made(sequence(5, 0, 3))
    assert output.shape == (5, 0, 4)
    assert all(s.shape == (2, 0, 4) for s in states_of(state))


@pytest.mark.parametrize("shape", [(0, 2, 3), (0, 3)])
def test_no_step_is_an_error(shape: tuple[int, ...]):
    """T=0 is refused, as in torch.nn."""
    with pytest.raises(ShapeError, match="at least one time step"):
        layer("lstm")(sequence(*shape))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_reach_everything(cell: str):
    """Every parameter gets a gradient that is not 0 everywhere."""
    made = layer(cell, num_layers=2, bidirectional=True)
    found = outcome(made, sequence(5, 2, 3), None)
    assert all(value.any() for name, value in found.items() if "gradient" in name)


def test_works_in_evaluation_and_without_gradients():
    """eval() changes nothing without dropout, and no_grad records nothing."""
    made = layer("lstm")
    expected = made(sequence(5, 2, 3))[0]
    assert torch.equal(made.eval()(sequence(5, 2, 3))[0], expected)
    with torch.no_grad():
        assert not made(sequence(5, 2, 3))[0].requires_grad


def test_functional_call_replaces_weights():
    """torch.func.functional_call runs with the weights it is given."""
    made = layer("gru")
    zeros = {name: torch.zeros_like(p) for name, p in made.named_parameters()}
    output, _ = torch.func.functional_call(made, zeros, (sequence(5, 2, 3),))
    assert not output.any()


def test_backend_report_says_which_and_why():
    """The report names the cell, what runs it, and the reason."""
    (row,) = layer("gru").backend_report().rows
    assert (row.layer, row.backend) == ("gru", "c")
    (row,) = layer("gru", backend="reference").backend_report().rows
    assert "asked for" in row.reason


def test_repr_tells_what_is_not_default():
    """The layer's text has the cell, the sizes and every other choice."""
    made = layer("slstm", num_layers=2, bidirectional=True, heads=2)
    text = repr(made)
    for part in (
        "'slstm'",
        "input_size=3",
        "num_layers=2",
        "bidirectional=True",
        "heads=2",
    ):
        assert part in text
    assert "batch_first" not in text


def test_repr_tells_which_constants_were_given():
    """A number as it is, of a tensor its shape; none that is as the cell says."""
    made = cw.nn.Recurrent("izhikevich", 1, 3, a=0.1, d=torch.tensor([8.0, 6.0, 2.0]))
    assert "a=0.1, d=tensor of [3]" in repr(made)
    assert "b=" not in repr(made)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"hidden_size": 0}, OptionError, "hidden_size is .*; found 0"),
        ({"hidden_size": 4.0}, OptionError, "hidden_size is .*; found 4.0"),
        ({"num_layers": True}, OptionError, "num_layers is .*; found True"),
        ({"dropout": 1.5, "num_layers": 2}, OptionError, "dropout is .*; found 1.5"),
        ({"proj_sizes": 2}, OptionError, "'proj_sizes'"),
        ({"cell": "lstm_proj"}, OptionError, "write proj_size="),
        (
            {"cell": "lstm_proj", "proj_size": 0},
            OptionError,
            "proj_size is .*; found 0",
        ),
        ({"cell": "slstm", "heads": 3}, OptionError, "hidden_size=4"),
        ({"backend": "cuda"}, BackendError, "'cuda'"),
        ({"cell": "lstmm"}, CellwrightError, "did you mean 'lstm'"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], kind: Any, text: str):
    """An argument that does not fit is named, with its value."""
    with pytest.raises(kind, match=text):
        layer(**options)


WRONG: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "no tensor": ({}, [[1.0]], DtypeError),
    "integers": ({}, torch.zeros(5, 2, 3, dtype=torch.int64), DtypeError),
    "float32": ({}, sequence(5, 2, 3).float(), DtypeError),
    "one axis": ({}, sequence(3), ShapeError),
    "four axes": ({}, sequence(1, 5, 2, 3), ShapeError),
    "input_size": ({}, sequence(5, 2, 4), ShapeError),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_an_error_as_torch_raises(what: str):
    """The error is ours and a RuntimeError, and begins with the layer."""
    options, x, kind = WRONG[what]
    with pytest.raises(kind) as caught:
        layer("gru", **options)(x)
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value).startswith(
        "Recurrent('gru', input_size=3, hidden_size=4): "
    )


@pytest.mark.parametrize(
    "hx",
    [
        sequence(1, 2, 4),
        (sequence(1, 2, 4),),
        (sequence(1, 2, 4),) * 3,
        (sequence(1, 2, 4), sequence(1, 2, 5)),
        (sequence(1, 2, 4), sequence(1, 3, 4)),
        (sequence(1, 2, 4), sequence(2, 4)),
        (sequence(1, 2, 4), sequence(1, 2, 4).float()),
        (sequence(1, 2, 4), None),
    ],
)
def test_wrong_first_state_is_an_error(hx: Any):
    """A state of another number, shape or dtype is refused."""
    with pytest.raises(CellwrightError, match=r"\bc\b") as caught:
        layer("lstm")(sequence(5, 2, 3), hx)
    assert isinstance(caught.value, RuntimeError)


def test_wrong_further_input_is_an_error():
    """A missing, unknown or misshapen further input is told by its name."""
    made, x = layer(PHASED), sequence(5, 2, 3)
    with pytest.raises(CellwrightError, match="time"):
        made(x)
    with pytest.raises(CellwrightError, match="time"):
        made(x, time=sequence(5, 3))
    with pytest.raises(OptionError, match="no input clock"):
        made(x, time=sequence(5, 2), clock=sequence(5, 2))


def test_forget_bias_finds_a_part_of_a_part():
    """A gate cut out of a piece that was cut out itself has its own entries."""
    text = """# Nested splits.
input x [input_size]
state c [hidden_size]
weight W [4 * hidden_size, input_size]
bias b [4 * hidden_size]
output c'
low, high = split(W @ x + b)
a_i, a_g = split(low)
a_f, a_o = split(high)
f = sigmoid(a_f)     # forget gate
c' = f * c + sigmoid(a_i) * tanh(a_g) * sigmoid(a_o)
"""
    plain, made = layer(text), layer(text, forget_bias=3.0)
    assert (made.b_l0[8:12] == 3).all()
    assert torch.equal(made.b_l0[:8], plain.b_l0[:8])
    assert torch.equal(made.b_l0[12:], plain.b_l0[12:])


def test_a_drawn_number_is_kept_with_the_weights():
    """A constant that is drawn belongs to the state_dict, a plain one does not."""
    text = """# Two constants.
input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
constant drawn = uniform(0, 1)
constant plain = 0.5
output h'
h' = drawn * h + plain * (W @ x)
"""
    first, second = (cw.nn.Recurrent(text, 3, 4) for _ in range(2))
    assert "drawn_l0" in first.state_dict()
    assert "plain_l0" not in first.state_dict()

    second.load_state_dict(first.state_dict())
    x = torch.randn(5, 2, 3)
    assert torch.equal(first(x)[0], second(x)[0])


@pytest.mark.parametrize(
    ("declared", "size", "layers", "says"),
    [
        ("[2]", 7, 1, r"x is \[2\], so layer 0 takes 2 features; got input_size=7"),
        ("[hidden_size]", 1, 1, "takes 4 features; got input_size=1"),
        ("", 3, 1, "x is a scalar, so layer 0 takes 1 features; got input_size=3"),
        ("[2]", 2, 2, "layer 1 takes 2 features; the layer below puts out 4"),
    ],
)
def test_the_first_input_is_as_wide_as_declared(
    declared: str, size: int, layers: int, says: str
):
    """A cell whose input is not [input_size] refuses another width, by name."""
    text = f"input x {declared}\nstate h [hidden_size]\noutput h'\n"
    text += "h' = h + sum(x)\n" if declared == "[2]" else "h' = h + x\n"
    with pytest.raises(OptionError, match=says):
        cw.nn.Recurrent(text, size, 4, num_layers=layers)


def test_forget_bias_is_the_sum_of_two_biases_and_fills_a_scalar():
    """What a gate is given is its bias in all, in whatever shape the file has it."""
    text = """input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
bias b [hidden_size]
bias d
output h'
f = sigmoid(W @ x + b + d)    # forget gate
h' = f * h + (1 - f) * tanh(W @ x)
"""
    made = cw.nn.Recurrent(text, 3, 4, forget_bias=7.0)
    assert (made.get_parameter("b_l0") + made.get_parameter("d_l0")).tolist() == [7] * 4


def test_messages_name_the_layer_as_it_is_set():
    """What was set anew since it was made is told."""
    layer = cw.nn.Recurrent("lstm", 3, 5)
    layer(torch.randn(2, 1, 3))
    layer.batch_first = True
    with pytest.raises(ShapeError, match=r"Recurrent\('lstm', .*batch_first=True\)"):
        layer(torch.randn(2, 1, 4))
