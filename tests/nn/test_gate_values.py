import math
from typing import Any

import pytest
import torch
from torch import Tensor

import cellwright as cw
from cellwright.checks.tolerances import STANDARD_ERRORS, TOLERANCES, error
from cellwright.nn.errors import OptionError

REFERENCE = TOLERANCES["reference", "float64"].bound
LONGEST = 100
TWO = """input x [input_size]
state h, c, d [hidden_size]
weight W [hidden_size, input_size]
weight U [hidden_size, hidden_size]
bias b_f, b_i, e_f, e_i [hidden_size]
output h'
f = sigmoid(W @ x + b_f)       # forget gate of c
i = sigmoid(W @ x + b_i)       # input gate of c
p = sigmoid(W @ x + e_f)       # forget gate of d
q = {}
c' = f * c + i * tanh(U @ h)
d' = p * d + q * tanh(U @ h)
h' = tanh(c' + d')
"""


def layer(cell: Any = "lstm", hidden_size: int = 2000, **options: Any) -> Any:
    """Return a layer in float64, made under one seed."""
    torch.manual_seed(2)
    return cw.nn.Recurrent(cell, 1, hidden_size, dtype=torch.float64, **options)


def is_chrono(bias: Tensor, longest: float = LONGEST) -> bool:
    """Whether exp(bias) is drawn evenly from 1 to longest - 1."""
    u, span = bias.exp(), longest - 2
    inside = 1 <= float(u.min()) <= float(u.max()) <= longest - 1
    # A mean of even draws has the standard error span / sqrt(12 n), the mean square
    # of their distance from the middle span² / sqrt(180 n).
    n, middle = len(u), 1 + span / 2
    off = abs(float(u.mean()) - middle) / (span / math.sqrt(12 * n))
    spread = float(((u - middle) ** 2).mean()) - span**2 / 12
    far = abs(spread) / (span**2 / math.sqrt(180 * n))
    return inside and off < STANDARD_ERRORS and far < STANDARD_ERRORS


def test_chrono_is_the_papers():
    """b_f = log(U(1, T - 1)) and b_i = -b_f, in all layers; nothing else moves."""
    form = {"num_layers": 2, "bidirectional": True}
    made, plain = (
        layer(hidden_size=300, chrono=LONGEST, **form),
        layer(hidden_size=300, **form),
    )
    drawn = []
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        forget = made.get_parameter(f"b_f{suffix}").detach()
        assert made.get_parameter(f"b_i{suffix}").equal(-forget)
        drawn.append(forget)
    assert is_chrono(torch.cat(drawn))
    assert len({float(each[0]) for each in drawn}) == 4
    # The first layer's other weights come before any of these draws.
    for name in ("W_i_l0", "U_o_l0", "b_g_l0", "b_o_l0"):
        assert made.get_parameter(name).equal(plain.get_parameter(name))
    assert "chrono=100.0" in repr(made)


@pytest.mark.parametrize("longest", [2.5, 30, 1000])
def test_the_longest_dependency_scales_the_draws(longest: float):
    """Every bound comes from the number that was given."""
    assert is_chrono(layer(chrono=longest).b_f_l0.detach(), longest)


def test_the_shortest_dependency_halves_at_every_step():
    """At T = 2 every bias is log 1 = 0."""
    made = layer(hidden_size=3, chrono=2)
    assert not made.b_f_l0.any()
    assert not made.b_i_l0.any()


@pytest.mark.parametrize(
    ("cell", "forget", "take"),
    [
        ("lstm", "b_f", "b_i"),
        ("peephole_lstm", "b_f", "b_i"),
        ("slstm", "b_f", "b_i"),
        ("extends lstm\ni = 1 - f\n", "b_f", None),
        ("cifg", None, "b_i"),
    ],
)
def test_chrono_finds_the_gates_as_described(cell: str, forget: Any, take: Any):
    """A gate that is 1 less the other one needs no bias, whichever it is."""
    made = layer(cell, hidden_size=400, chrono=LONGEST)
    names = {name for name, _ in made.named_parameters() if name.startswith("b")}
    assert {f"{b}_l0" for b in (forget, take) if b} <= names
    if forget:
        assert is_chrono(made.get_parameter(f"{forget}_l0").detach())
    if take:
        assert is_chrono(-made.get_parameter(f"{take}_l0").detach())
    if forget and take:
        other = made.get_parameter(f"{take}_l0")
        assert other.equal(-made.get_parameter(f"{forget}_l0"))


def test_chrono_fills_parts_of_a_joint_bias():
    """In lstm_norm_joint the gates are parts of one vector."""
    made, plain = (layer("lstm_norm_joint", 400, chrono=t) for t in (LONGEST, None))
    take, forget, *rest = made.b_l0.detach().chunk(4)
    assert is_chrono(forget)
    assert take.equal(-forget)
    assert torch.cat(rest).equal(plain.b_l0[800:])


def test_several_gates_are_pairs_in_their_order():
    """Each forget gate has a draw of its own, and its input gate minus that."""
    text = TWO.format("sigmoid(W @ x + e_i)    # input gate of d")
    made = layer(text, 500, chrono=LONGEST)
    first, second = made.b_f_l0.detach(), made.e_f_l0.detach()
    assert is_chrono(first)
    assert is_chrono(second)
    assert not first.equal(second)
    assert made.b_i_l0.equal(-first)
    assert made.e_i_l0.equal(-second)


def test_gates_that_are_no_pairs_are_an_error():
    """Two forget gates and one input gate: which belongs to which is not said."""
    text = TWO.format("sigmoid(W @ x + e_i)    # writes d")
    with pytest.raises(OptionError, match="2 forget gates and 1 input gates"):
        layer(text, 5, chrono=9)


def test_gates_that_share_their_bias_are_an_error():
    """One vector cannot be log u and -log u."""
    text = "extends lstm\ni = sigmoid(W_i @ x + U_i @ h + b_f)   # input gate\n"
    with pytest.raises(OptionError, match="forget gate and input gate share b_f"):
        layer(text, 5, chrono=9)


@pytest.mark.parametrize("options", [{}, {"proj_size": 2}, {"num_layers": 2}])
def test_drop_ins_take_chrono(options: Any):
    """The sum of both bias vectors is the paper's, every other weight torch's own."""
    torch.manual_seed(2)
    plain = cw.nn.LSTM(1, 600, dtype=torch.float64, **options)
    torch.manual_seed(2)
    made: Any = cw.nn.LSTM(1, 600, dtype=torch.float64, chrono=LONGEST, **options)
    for name, value in plain.state_dict().items():
        mine = made.state_dict()[name]
        if "bias" in name:
            assert mine[1200:].equal(value[1200:])
        else:
            assert mine.equal(value)
    for layer_ in range(made.num_layers):
        total = made.get_parameter(f"bias_ih_l{layer_}").detach()
        assert not made.get_parameter(f"bias_hh_l{layer_}")[:1200].any()
        assert is_chrono(total[600:1200])
        assert total[:600].equal(-total[600:1200])
    assert "chrono=100.0" in repr(made)


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: layer("gru", 4, **o),
        lambda **o: layer("elman", 4, **o),
        lambda **o: layer("rhn", 4, **o),
        lambda **o: layer("lstm", 4, bias=False, **o),
        lambda **o: layer("cifg", 4, bias=False, **o),
        lambda **o: cw.nn.GRU(1, 4, **o),
        lambda **o: cw.nn.RNN(1, 4, **o),
        lambda **o: cw.nn.LSTM(1, 4, bias=False, **o),
    ],
)
def test_chrono_without_a_forget_gate_is_an_error(make: Any):
    """A cell that describes no forget gate with a bias cannot be given it."""
    with pytest.raises(OptionError, match=r"chrono=9: .* no forget gate .*init= sets"):
        make(chrono=9)


@pytest.mark.parametrize("value", [1.9, 0, -5, math.inf, math.nan, True, "100", [3]])
def test_chrono_is_a_number_of_steps(value: Any):
    """From 2 on, and finite."""
    with pytest.raises(OptionError, match=r"chrono is .* the number of steps"):
        layer("lstm", 4, chrono=value)
    with pytest.raises(OptionError, match="LSTM: chrono is"):
        cw.nn.LSTM(1, 4, chrono=value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, True, "1"])
def test_forget_bias_is_a_finite_number(value: Any):
    """A gate whose bias is none puts out nothing but NaN, or never moves."""
    with pytest.raises(OptionError, match=r"forget_bias is .* a finite number"):
        layer("lstm", 4, forget_bias=value)
    with pytest.raises(OptionError, match="LSTM: forget_bias is"):
        cw.nn.LSTM(1, 4, forget_bias=value)


def test_one_bias_has_one_first_value():
    """forget_bias and chrono together are an error; init gives way to either."""
    with pytest.raises(OptionError, match="give one of them"):
        layer("lstm", 4, chrono=9, forget_bias=1.0)
    assert (layer("lstm", 4, init={"b_*": 5}, forget_bias=1).b_f_l0 == 1).all()
    made = layer("lstm", 400, init={"b_*": 5}, chrono=LONGEST)
    assert is_chrono(made.b_f_l0.detach())
    assert (made.b_o_l0 == 5).all()


def test_a_seed_gives_the_same_draws_in_every_dtype():
    """Drawn in float64 on the CPU, rounded once."""
    made = layer("lstm", 50, chrono=LONGEST)
    torch.manual_seed(2)
    small: Any = cw.nn.Recurrent("lstm", 1, 50, chrono=LONGEST)
    assert small.b_f_l0.equal(made.b_f_l0.float())
    assert not made.b_f_l0.equal(made.b_f_l0.float().double())


def test_a_scalar_bias_gets_one_draw():
    """One number for all units, where the file declares one."""
    text = """input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
bias b
output h'
f = sigmoid(W @ x + b)    # forget gate
h' = f * h + (1 - f) * tanh(W @ x)
"""
    bias = layer(text, 4, chrono=LONGEST).b_l0
    assert bias.shape == ()
    assert 0 <= bias <= math.log(LONGEST - 1)


def test_a_cell_file_can_say_chrono_itself():
    """With what the language has, and to the same distribution."""
    text = f"""extends lstm
bias b_i [hidden_size] = -log(uniform(1, {LONGEST} - 1))
bias b_f [hidden_size] = -b_i
"""
    made = layer(text)
    assert is_chrono(made.b_f_l0.detach())
    assert error(made.b_i_l0, -made.b_f_l0) <= REFERENCE
