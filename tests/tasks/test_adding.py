from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from cellwright.checks.tolerances import STANDARD_ERRORS, TOLERANCES
from cellwright.tasks import ADDING_VARIANTS, Adding, Examples, TaskError


def drawn(task: Adding, count: int = 1000, seed: int = 0) -> Examples:
    """Return sequences under a seed of their own."""
    return task.draw(count, torch.Generator().manual_seed(seed))


def off(values: Tensor, expected: Fraction) -> float:
    """Return how far a mean of draws is from what it should be, in standard errors."""
    values = values.double()
    error = values.std() / len(values) ** 0.5
    return float((values.mean() - float(expected)).abs() / error)


def marked(examples: Examples, row: int) -> tuple[int, ...]:
    """Return the marked steps of a sequence."""
    return tuple(torch.nonzero(examples.x[:, row, 1] == 1)[:, 0].tolist())


@pytest.mark.parametrize("variant", ADDING_VARIANTS)
@pytest.mark.parametrize("steps", [11, 30])
def test_the_target_is_what_the_two_marked_values_say(variant: Any, steps: int):
    """Each sequence has two marks, and its target is made of their values."""
    examples = drawn(Adding(steps, variant))
    assert examples.x.dtype == examples.target.dtype == torch.float32
    assert examples.target.shape == (1000, 1)
    for row in range(1000):
        places = marked(examples, row)
        assert len(places) == 2
        one, other = examples.x[list(places), row, 0]
        said = {"mean": (one + other) / 2, "sum": one + other}
        expected = said.get(variant, 0.5 + (one + other) / 4)
        assert examples.target[row, 0] == expected


@pytest.mark.parametrize("variant", ["mean", "sum"])
def test_values_and_marks_of_the_plain_forms(variant: Any):
    """Values are spread over [0, 1], all other marks are 0, all steps are there."""
    examples = drawn(Adding(20, variant))
    values, marks = examples.x.unbind(-1)
    assert examples.lengths is None
    assert values.shape == (20, 1000)
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
    assert off(values.flatten(), Fraction(1, 2)) < STANDARD_ERRORS
    assert off((values.flatten() - 0.5) ** 2, Fraction(1, 12)) < STANDARD_ERRORS
    assert Counter(marks.flatten().tolist()) == {0: 18_000, 1: 2_000}


@pytest.mark.parametrize("variant", ["mean", "sum"])
def test_two_different_steps_are_marked_each_pair_as_often(variant: Any):
    """Marks stand anywhere, the first and the last step included."""
    examples = drawn(Adding(4, variant), 12_000)
    found = Counter(marked(examples, row) for row in range(12_000))
    assert len(found) == 6
    for count in found.values():
        hits = torch.zeros(12_000)
        hits[:count] = 1
        assert off(hits, Fraction(1, 6)) < STANDARD_ERRORS


def test_lengths_of_1997_lie_between_t_and_a_tenth_more():
    """Every length comes, as often as another; behind a sequence all is 0."""
    examples = drawn(Adding(30, "1997"), 8000)
    assert examples.x.shape == (33, 8000, 2)
    assert examples.lengths is not None
    assert set(examples.lengths.tolist()) == {30, 31, 32, 33}
    assert off(examples.lengths, Fraction(63, 2)) < STANDARD_ERRORS
    behind = torch.arange(33)[:, None] >= examples.lengths
    assert not examples.x[behind].any()
    assert (examples.x[~behind][:, 0] != 0).float().mean() > 0.99


def test_marks_of_1997():
    """The first and the last pair have -1 unless marked, all others 0."""
    examples = drawn(Adding(30, "1997"), 4000)
    assert examples.lengths is not None
    for row, length in enumerate(examples.lengths.tolist()):
        expected = torch.zeros(33)
        expected[[0, length - 1]] = -1
        expected[list(marked(examples, row))] = 1
        assert examples.x[:, row, 1].equal(expected)


def test_places_of_the_marks_of_1997():
    """One of the first ten, then one of the first T / 2 - 1 that are left."""
    chances: dict[tuple[int, ...], Fraction] = {}
    for first in range(10):
        left = [place for place in range(30) if place != first][: 30 // 2 - 1]
        for second in left:
            pair = tuple(sorted((first, second)))
            chances[pair] = chances.get(pair, Fraction(0)) + Fraction(1, 10 * 14)
    assert sum(chances.values()) == 1

    examples = drawn(Adding(30, "1997"), 20_000)
    found = Counter(marked(examples, row) for row in range(20_000))
    assert found.keys() == chances.keys()
    for pair, chance in chances.items():
        hits = torch.zeros(20_000)
        hits[: found[pair]] = 1
        assert off(hits, chance) < STANDARD_ERRORS


def test_a_first_pair_that_is_marked_first_is_0():
    """X1 is 0 there; a first pair that is marked second keeps its value."""
    examples = drawn(Adding(30, "1997"), 20_000)
    value, mark = examples.x[0].unbind(-1)
    assert (mark[value == 0] == 1).all()
    assert off((value == 0).double(), Fraction(1, 10)) < STANDARD_ERRORS
    kept = (mark == 1) & (value != 0)
    assert off(kept.double(), Fraction(9, 10) / 14) < STANDARD_ERRORS


@pytest.mark.parametrize("variant", ADDING_VARIANTS)
def test_memoryless_is_the_variance_of_the_target(variant: Any):
    """Worked out from moments of every placement, and met by draws."""
    task = Adding(30, variant)
    low = -1 if variant == "1997" else 0
    mean, square = Fraction(low + 1, 2), Fraction(low * low + low + 1, 3)
    # In the 1997 form X1 is 0 where it is the first of the ten pairs.
    zeros = [place == 0 and variant == "1997" for place in range(10)]
    scale, shift = {"mean": (2, 0), "sum": (1, 0), "1997": (4, Fraction(1, 2))}[variant]
    first = second = Fraction(0)
    for zero in zeros:
        a, aa = (Fraction(0), Fraction(0)) if zero else (mean, square)
        first += ((a + mean) / scale + shift) / 10
        total = (aa + 2 * a * mean + square) / scale**2
        second += (total + 2 * shift * (a + mean) / scale + shift**2) / 10
    assert task.memoryless == second - first**2

    target = drawn(task, 200_000).target[:, 0].double()
    assert off(target, first) < STANDARD_ERRORS
    assert off((target - float(first)) ** 2, task.memoryless) < STANDARD_ERRORS


@pytest.mark.parametrize(
    ("variant", "share"), [("mean", Fraction(2, 30)), ("sum", Fraction(2, 30))]
)
def test_the_last_step_tells_what_the_docstring_says(variant: Any, share: Fraction):
    """Marked it is one of the two values, and otherwise says nothing of them."""
    task = Adding(30, variant)
    examples = drawn(task, 100_000)
    value, mark = examples.x[-1].double().unbind(-1)
    target = examples.target[:, 0].double()
    marked_there = mark == 1
    assert off(marked_there.double(), share) < STANDARD_ERRORS
    scale = 0.5 if variant == "mean" else 1.0
    middle = scale * 2 / 2
    best = torch.where(marked_there, scale * (value + 0.5), middle)
    allowed = task.memoryless * (1 - Fraction(1, task.steps))
    assert off((best - target) ** 2, allowed) < STANDARD_ERRORS
    still = ~marked_there
    assert (
        off((value - 0.5)[still] * (target - middle)[still], Fraction(0))
        < STANDARD_ERRORS
    )


def test_the_last_step_of_1997_is_never_marked():
    """Its mark is -1 in every sequence, so it tells nothing."""
    examples = drawn(Adding(11, "1997"), 5000)
    assert examples.lengths is not None
    last = examples.x[examples.lengths - 1, torch.arange(5000), 1]
    assert (last == -1).all()


@pytest.mark.parametrize("variant", ADDING_VARIANTS)
def test_a_seed_gives_the_same_sequences(variant: Any):
    """A generator decides everything; without one torch's global one does."""
    task = Adding(30, variant)
    one, same, other = drawn(task, 5), drawn(task, 5), drawn(task, 5, seed=1)
    assert one.x.equal(same.x)
    assert one.target.equal(same.target)
    assert not one.x.equal(other.x)
    torch.manual_seed(3)
    free = task.draw(5)
    again = task.draw(5, torch.Generator().manual_seed(3))
    assert free.x.equal(again.x)
    assert not task.draw(5).x.equal(free.x)


@pytest.mark.parametrize(
    ("variant", "tolerance", "mean"),
    [("mean", 0.04, 0.01), ("1997", 0.04, 0.01), ("sum", 0.08, 0.02)],
)
def test_the_rule_follows_the_range_of_the_targets(
    variant: Any, tolerance: float, mean: float
):
    """4 % and 1 % of the interval of the targets, over 2,000 sequences."""
    rule = Adding(100, variant).rule()
    assert (rule.tolerance, rule.mean, rule.last) == (tolerance, mean, 2000)
    target = drawn(Adding(100, variant), 50_000).target
    assert 0 <= target.min() <= target.max() <= tolerance / 0.04
    assert target.max() - target.min() > 0.95 * tolerance / 0.04


def test_a_mean_is_the_1997_target_of_values_from_both_sides():
    """With X = 2 U - 1 both forms ask for the same number, so the rule is the same."""
    u, v = torch.rand(2, 100, generator=torch.Generator().manual_seed(0)).double()
    mean, scaled = (u + v) / 2, 0.5 + ((2 * u - 1) + (2 * v - 1)) / 4
    bound = TOLERANCES["fold", "float64"].bound
    assert (mean - scaled).abs().max() <= bound


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1, "mean"), "steps is a whole number, at least 2; found steps=1"),
        ((10, "1997"), "at least 11; found steps=10"),
        ((2.5, "sum"), "found steps=2.5"),
        ((True, "sum"), "found steps=True"),
        ((30, "product"), "variant='product' is none of 'mean', '1997', 'sum'"),
    ],
)
def test_what_is_no_adding_problem_is_refused(arguments: Any, says: str):
    """Too few steps for two marks, and a form that there is not."""
    with pytest.raises(TaskError, match=says):
        Adding(*arguments)


@pytest.mark.parametrize("count", [0, -1, 1.0, True])
def test_at_least_one_sequence_is_drawn(count: Any):
    """No batch is empty."""
    with pytest.raises(TaskError, match="count is a whole number, at least 1"):
        Adding().draw(count)


@pytest.mark.parametrize("variant", ADDING_VARIANTS)
def test_the_least_number_of_steps_works(variant: Any):
    """The smallest tasks that are allowed can be drawn, marks and all."""
    steps = 11 if variant == "1997" else 2
    examples = drawn(Adding(steps, variant), 500)
    assert all(len(marked(examples, row)) == 2 for row in range(500))


@pytest.mark.parametrize("variant", ADDING_VARIANTS)
@pytest.mark.parametrize("every", [1, 3])
def test_rows_are_shares_of_a_batch(variant: Any, every: int):
    """Shares put side by side are the batch again, lengths and targets too."""
    whole = drawn(Adding(30, variant), 6)
    parts = [whole.rows(i, i + every) for i in range(0, 6, every)]
    assert torch.cat([part.x for part in parts], 1).equal(whole.x)
    assert torch.cat([part.target for part in parts]).equal(whole.target)
    assert {len(part) for part in parts} == {every}
    if whole.lengths is not None:
        lengths = [part.lengths for part in parts if part.lengths is not None]
        assert torch.cat(lengths).equal(whole.lengths)


def test_examples_move_whole():
    """Inputs, targets and lengths come along to another device."""
    moved = drawn(Adding(30, "1997"), 3).to("meta")
    assert moved.lengths is not None
    assert moved.x.is_meta
    assert moved.target.is_meta
    assert moved.lengths.is_meta
    assert drawn(Adding(30), 3).to("meta").lengths is None
