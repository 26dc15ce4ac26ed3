"""check_gradients finds what is wrong, and says where."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import cellwright as cw
from cellwright.backends.reference.ops import TORCH
from cellwright.checks.differences import Differences, Values, quiet
from cellwright.checks.gradients import SKIPPED_AT_MOST, GradientRow, check_gradients
from cellwright.checks.tolerances import TOLERANCES
from cellwright.nn.errors import OptionError

FLOAT64 = TOLERANCES["differences", "float64"].bound
SCALARS = """# Scalars wherever a gradient can go.
input x [input_size]
input gain
state h [hidden_size]
state s = q
weight W [hidden_size, input_size]
weight p
weight q = 0.5
output y
h' = tanh(W @ x + p * h + s)
s' = sigmoid(gain * mean(h') + p)
y  = s' * q
"""
STOPPED = """# A path that gives no gradient, a spike and a jump.
input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
weight U [hidden_size, hidden_size]
output h'
z  = surrogate(h > 0.1, tanh(h))
h' = tanh(W @ x + U @ stop_gradient(h) + where(z, h, 0.5 * x_floor) + z)
x_floor = mean(x) % 0.7 + floor(3 * h)
"""
BY_STEP = {
    2e-4: -2.9046892766,
    1e-4: -2.9056218012,
    5e-5: -2.9058549533,
    2.5e-5: -2.9059132447,
    1.25e-5: -2.9059278156,
    6.25e-6: -2.9059314583,
    8e-7: -2.9059326004,
    4e-7: -2.9059325278,
}


def test_right_gradients_are_right():
    """A right cell gives a true report that names every quantity twice."""
    report = check_gradients("elman", 2, 3)
    assert report
    assert report.skipped == 0
    names = [row.quantity for row in report.rows]
    assert names[:5] == ["x", "first h", "W", "U", "b"]
    assert [n.split(" from ")[0] for n in names[5:]] == ["x", "W", "U", "b"]
    # 4 steps, 2 rows, 2 features; 2 rows, 3 units; W, U and b.
    assert [row.compared for row in report.rows[:5]] == [16, 6, 6, 9, 3]


@pytest.mark.parametrize("hidden_size", [3, 9])
def test_a_wrong_derivative_is_found(monkeypatch: pytest.MonkeyPatch, hidden_size: int):
    """A slope of tanh that is off by one in ten thousand fails, small and large."""

    def wrong(args: list[Tensor], _: object) -> Tensor:
        (v,) = args
        return (v + 1e-4 * (v - v.detach())).tanh()

    monkeypatch.setitem(TORCH, "tanh", wrong)
    report = check_gradients("elman", 2, hidden_size, backend="reference")
    assert not report
    assert "WRONG" in str(report)
    assert report.worst.entry in str(report)
    assert report.worst.error > report.bound


def test_a_lost_gradient_is_found(monkeypatch: pytest.MonkeyPatch):
    """A parameter whose gradient is cut off is named with its entry."""
    matmul = TORCH["matmul"]
    monkeypatch.setitem(
        TORCH, "matmul", lambda args, _: matmul([args[0].detach(), args[1]], None)
    )
    report = check_gradients("elman", 2, 3, backend="reference")
    wrong = {row.quantity for row in report.rows if row.error > report.bound}
    assert {"W", "U"} <= wrong
    assert not wrong & {"x", "b", "first h"}
    assert report.worst.entry.startswith(("W[", "U["))
    assert report.worst.gradient == 0


def test_a_gradient_that_is_no_number_is_found(monkeypatch: pytest.MonkeyPatch):
    """NaN never passes as equal, and is the worst of all."""
    monkeypatch.setitem(
        TORCH, "tanh", lambda args, _: args[0].tanh() + (args[0] * 0).sqrt()
    )
    report = check_gradients("elman", 2, 3, backend="reference")
    assert not report
    assert report.worst.error == float("inf")


def test_scalars_are_checked():
    """Scalar inputs, states and parameters have one entry a row, or one."""
    report = check_gradients(SCALARS, 2, 3, batch_size=2, steps=3)
    assert report, str(report)
    compared = {row.quantity: row.compared for row in report.rows}
    assert compared["gain"] == 6
    assert compared["first s"] == 2
    assert compared["p"] == compared["q"] == 1
    assert check_gradients(SCALARS, 2, 8)


def test_stopped_and_jumping_gradients_are_exact():
    """Frozen differences see the gradient that the language defines."""
    report = check_gradients(STOPPED, 2, 4)
    assert report, str(report)
    assert report.skipped == 0


def test_kinks_are_counted():
    """A relu that sits on its kink is reported, and too many fail the check."""
    text = "input x [input_size]\nstate h [hidden_size]\nweight W [hidden_size, "
    text += "input_size]\noutput h'\nh' = relu(W @ x - W @ x + h) + W @ x\n"
    zero = [torch.zeros(2, 3, dtype=torch.float64)]
    report = check_gradients(text, 2, 3, hx=zero, steps=1)
    assert report.skipped == 6
    assert sum(row.at_kinks for row in report.rows) == 6
    assert report.worst.error <= report.bound
    assert not report, "a share this large must not pass"
    assert "6 skipped" in str(report)


def test_noise_excuses_no_noise():
    """The largest slope is one of the decided: a noisy giant hides nothing below it."""
    slope = torch.tensor([1e6, 90.0, 1.0, 0.5], dtype=torch.float64)
    spread = torch.tensor([1e3, 1e-5, 1e-9, 1e-9], dtype=torch.float64)
    decided, noise = quiet(slope, spread, torch.ones(4, dtype=torch.bool), 1e-8)
    assert decided.tolist() == [False, False, True, True]
    assert noise.tolist() == [1e3, 1e-5, 1e-9, 1e-9]
    decided, _ = quiet(slope, spread, torch.tensor([False, True, True, True]), 1e-7)
    assert decided.tolist() == [False, False, True, True]
    decided, noise = quiet(slope, spread, torch.tensor([False, True, True, True]), 1e-6)
    assert decided.tolist() == [False, True, True, True]
    assert noise[1] == spread[1] / 90


def test_two_steps_that_agree_by_chance_decide_nothing():
    """What rounding brings together at a small step, larger steps have said better.

    These are differences of a drawn cell, to whose slope, -2.9059326731, layer_norm
    gave a large third derivative: at the smallest step they lie within the bound of
    each other, and what they extrapolate to is 1.7e-7 off.
    """

    class Measured(Differences):
        def __init__(self): ...

        def _central(self, directions: Values, step: float) -> tuple[Tensor, Tensor]:
            assert directions
            slope = torch.tensor([BY_STEP[step]], dtype=torch.float64)
            return slope, torch.tensor([False])

    found = Measured().slopes({"input x": torch.ones(1, 1)}, 1e-7)
    # The second try's: it is 2e-9 off.
    assert float(found.slope) == (4 * BY_STEP[2.5e-5] - BY_STEP[5e-5]) / 3


def test_nothing_compared_is_no_success():
    """A report without a compared entry is false."""
    report = check_gradients("elman", 2, 3)
    empty = GradientRow("x", 0, 1, 0, 0.0, "x", 0.0, 0.0, False)
    assert not replace(report, rows=(empty,))
    assert SKIPPED_AT_MOST <= 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes_without_parameters_or_with(dtype: torch.dtype):
    """The layer runs in the dtype that is asked for, also when it has no parameter."""
    pool = "size input_size = hidden_size\ninput x [input_size]\nstate h [hidden_size]"
    pool += "\noutput h'\nh' = sigmoid(x) * h + (1 - sigmoid(x)) * x\n"
    for cell in ("gru", pool):
        report = check_gradients(cell, 3, 3, dtype=dtype)
        assert report, str(report)
        assert (report.worst.error > FLOAT64) == (dtype == torch.float32)


def test_no_seed_of_the_caller_is_moved():
    """The caller's random numbers go on as if nothing had happened."""
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    check_gradients("elman", 1, 1, steps=1)
    assert torch.rand(1).equal(expected)


def test_it_is_public():
    """The function is reached from the package."""
    assert cw.check_gradients is check_gradients


def test_what_nothing_hangs_on_is_told():
    """A matrix that every spike is multiplied by, where there is no spike."""
    report = check_gradients("lif")
    flat = {row.quantity for row in report.rows if row.flat}
    assert report
    assert flat == {"U", "U from the declared first states"}
    assert str(report).count("all 0 here") == len(flat)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dtype": torch.float16}, "dtype is torch.float64 or .*; found torch.float16"),
        ({"dtype": "float64"}, "dtype is .*; found 'float64'"),
        ({"steps": 0}, "steps is a whole number from 1 on; found 0"),
        ({"batch_size": 1.5}, "batch_size is a whole number from 1 on; found 1.5"),
        ({"seed": "a"}, "seed is a whole number from 0 on; found 'a'"),
        ({"hiden_size": 3}, "did you mean 'hidden_size'"),
        ({"batch_siz": 3}, "did you mean 'batch_size'"),
    ],
)
def test_a_wrong_argument_is_told(given: dict[str, Any], words: str):
    """Before anything is computed."""
    with pytest.raises(OptionError, match=words):
        check_gradients("lstm", **given)
