from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cellwright.checks.tolerances import STANDARD_ERRORS, TOLERANCES
from cellwright.tasks import Periodic, TaskError, free_run

FOLD = TOLERANCES["fold", "float64"].bound


def test_the_sequence_people_ask_about():
    """1 0 0 0 1 0 0 0, with the next symbol as the target."""
    examples = Periodic(steps=9).draw(2)
    assert examples.x.shape == examples.target.shape == (9, 2, 1)
    assert examples.x.dtype == examples.target.dtype == torch.float32
    assert examples.x[:, 1, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert examples.target[:, 1, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert examples.lengths is None


@given(period=st.integers(2, 9), begin=st.integers(0, 40), length=st.integers(0, 40))
def test_windows_of_the_endless_sequence_follow_each_other(period, begin, length):
    """A window is a piece of the whole, which has a 1 every period."""
    task = Periodic(period, steps=period)
    whole = [float(step % period == 0) for step in range(80)]
    found = task.symbols(begin, begin + length)
    assert found.tolist() == whole[begin : begin + length]


@pytest.mark.parametrize("period", range(2, 9))
def test_memoryless_answers_are_the_best(period: int):
    """What the formulas say is what counting over one period gives."""
    symbols = [1] + [0] * (period - 1)
    pairs = list(zip(symbols, symbols[1:] + symbols[:1], strict=True))
    task = Periodic(period)
    squares, right = Fraction(0), Fraction(0)
    for seen in (0, 1):
        after = [b for a, b in pairs if a == seen]
        mean = Fraction(sum(after), len(after))
        squares += sum((b - mean) ** 2 for b in after) / period
        best = Counter(after).most_common()
        right += Fraction(best[0][1], period)
        ties = [symbol for symbol, count in best if count == best[0][1]]
        assert task.guesses[seen] == min(ties)
    assert task.memoryless == squares
    assert task.memoryless_accuracy == right


@pytest.mark.parametrize("period", range(2, 6))
def test_scores_of_the_memoryless_answers_are_the_formulas(period: int):
    """Over whole periods the score of each best answer is the exact figure."""
    task = Periodic(period, steps=period * 10)
    examples = task.draw(3)
    chance = 1 / (period - 1)
    means = torch.where(examples.x == 1, 0.0, chance).double()
    guesses = torch.tensor(task.guesses, dtype=torch.float64)[examples.x.long()]
    assert abs(task.score(means, examples).mse - float(task.memoryless)) <= (
        TOLERANCES["reference", "float32"].bound
    )
    found = task.score(guesses, examples).accuracy
    assert abs(found - float(task.memoryless_accuracy)) <= FOLD


def test_any_start_comes_as_often():
    """Each phase begins as many sequences, and a generator decides which."""
    task = Periodic(period=4, steps=8, start="any")
    examples = task.draw(8000, torch.Generator().manual_seed(0))
    same = task.draw(8000, torch.Generator().manual_seed(0))
    assert examples.x.equal(same.x)
    assert examples.target[:-1].equal(examples.x[1:])
    for step in range(8):
        hits = examples.x[step, :, 0].double()
        error = hits.std() / len(hits) ** 0.5
        assert (hits.mean() - 0.25).abs() / error < STANDARD_ERRORS
    assert (examples.x.sum(0) == 2).all()


def test_a_fixed_start_draws_nothing():
    """No random number is used where nothing is random."""
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    Periodic().draw(3, generator)
    assert generator.get_state().equal(before)


@pytest.mark.parametrize(("start", "counted"), [("one", 8), ("any", 5)])
def test_what_nobody_can_know_is_not_scored(start: Any, counted: int):
    """Before the first 1 of a sequence that begins anywhere, nothing is judged."""
    task = Periodic(period=4, steps=8, start=start)
    examples = task.draw(1, torch.Generator().manual_seed(1))
    wrong = 1 - examples.target
    assert task.score(examples.target, examples).mse == 0
    late = torch.where(torch.arange(8)[:, None, None] == 7, wrong, examples.target)
    score = task.score(late, examples)
    assert score.mse == 1 / counted
    assert score.accuracy == 1 - 1 / counted
    assert score.worst == 1
    assert score.to_json() == {
        "mse": 1 / counted,
        "accuracy": 1 - 1 / counted,
        "worst": 1,
    }


def test_nan_is_never_right():
    """A network that says NaN has no right symbol, also where a 0 comes."""
    task = Periodic(steps=8)
    examples = task.draw(1)
    assert task.score(torch.full_like(examples.x, torch.nan), examples).accuracy == 0


def counter(period: int, blur: float = 0.0) -> Any:
    """Return a network of one unit that counts zeros, and errs by ``blur``."""

    def predict(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        count = torch.zeros(x.shape[1:]) if state is None else state
        said = []
        for step in x:
            count = torch.where(step > 0.9, 1.0, count + 1)
            said.append((count == period).float() * (1 - blur))
        return torch.stack(said), count

    return predict


@pytest.mark.parametrize("period", [2, 4, 7])
def test_a_counter_goes_on_for_ever(period: int):
    """Fed with its own symbols, it repeats the sequence behind the opening."""
    task = Periodic(period, steps=100)
    found = free_run(counter(period), task.draw(2).x[:5], 300)
    assert found.shape == (300, 2, 1)
    assert found[:, 0, 0].equal(task.symbols(5, 305))


def test_its_own_errors_are_fed_back_when_asked():
    """A 0.8 is a 1 when symbols are shown, and not to who takes it as it is."""
    opening = Periodic(steps=4).draw(1).x
    rounded = free_run(counter(4, blur=0.2), opening, 12)
    assert (rounded >= 0.5).float()[:, 0, 0].equal(Periodic().symbols(4, 16))
    raw = free_run(counter(4, blur=0.2), opening, 12, symbols=False)
    assert (raw[1:] >= 0.5).sum() == 0


def test_the_state_is_carried_and_no_gradient_is_kept():
    """The network sees every symbol once, and each state that it returned."""
    seen: list[tuple[int, Any]] = []
    weight = torch.ones((), requires_grad=True)

    def predict(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        seen.append((len(x), state))
        return x * weight, len(seen)

    found = free_run(predict, torch.ones(3, 1, 1), 3)
    assert seen == [(3, None), (1, 1), (1, 2)]
    assert not found.requires_grad


def test_the_rule_is_that_of_experiment_2a():
    """Errors below a quarter, 10,000 times in a row, whatever their mean."""
    rule = Periodic().rule()
    assert not rule.update(torch.full((9_999,), 0.24))
    assert rule.update(torch.full((1,), 0.24))
    assert not Periodic().rule().update(torch.full((10_000,), 0.25))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"period": 1}, "period is a whole number, at least 2; found period=1"),
        ({"period": 4, "steps": 3}, "at least 4; found steps=3"),
        ({"start": "zero"}, "start='zero' is none of 'one', 'any'"),
    ],
)
def test_what_has_no_period_is_refused(options: Any, says: str):
    """A period of 1, a sequence without a whole period, an unknown start."""
    with pytest.raises(TaskError, match=says):
        Periodic(**options)


def test_nothing_is_not_drawn():
    """No batch and no run is empty."""
    with pytest.raises(TaskError, match="count is a whole number, at least 1"):
        Periodic().draw(0)
    with pytest.raises(TaskError, match="steps is a whole number, at least 1"):
        free_run(counter(4), torch.ones(1, 1, 1), 0)
