import copy
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwright.tasks import PassRule, TaskError

ERRORS = st.lists(
    st.sampled_from([0.0, 0.02, -0.02, 0.039, 0.04, -0.5, math.nan, math.inf, 0.001]),
    max_size=30,
)
CUTS = st.lists(st.integers(0, 7), max_size=30)


def first_pass(errors: list[float], rule: PassRule) -> int | None:
    """Return what the rule's sentence says, read word by word."""
    for end in range(rule.last, len(errors) + 1):
        lately = [abs(e) for e in errors[end - rule.last : end]]
        right = all(e < rule.tolerance for e in lately)
        if right and sum(lately) / rule.last < rule.mean:
            return end
    return None


@given(ERRORS, CUTS, st.integers(1, 6), st.sampled_from([0.005, 0.015, 0.03]))
def test_the_rule_is_its_sentence(
    errors: list[float], cuts: list[int], last: int, mean: float
):
    """However errors are cut into batches, the first moment is found."""
    rule = PassRule(0.04, mean, last)
    rest = list(errors)
    for cut in [*cuts, len(errors)]:
        batch, rest = rest[:cut], rest[cut:]
        rule.update(batch)
    assert rule.passed_at == first_pass(errors, rule)
    assert rule.passed == (rule.passed_at is not None)
    assert rule.seen == len(errors)
    right = 0
    for e in errors:
        right = right + 1 if abs(e) < 0.04 else 0
    assert rule.run == right


def test_once_passed_it_stays_so():
    """Later errors change neither the answer nor the moment."""
    rule = PassRule(last=2)
    assert rule.update([0.0, 0.0])
    assert rule.update([1.0, 1.0, 0.0, 0.0, 0.0])
    assert rule.passed_at == 2
    assert rule.run == 3


def test_the_paper_s_numbers_are_the_default():
    """2,000 sequences below .04 with a mean below .01; 1,999 are too few."""
    rule = PassRule()
    assert not rule.update(np.full(1999, 0.009))
    assert rule.update([0.009])
    assert str(rule) == (
        "passed after 2,000 sequences; mean error 0.0090 of 0.01, "
        "2,000 of 2,000 in a row right"
    )


def test_how_far_it_is_is_said():
    """Before it passes it tells the mean error and the run of right ones."""
    rule = PassRule(last=4)
    assert str(rule).startswith("not passed after 0 sequences; mean error nan of 0.01")
    rule.update(torch.tensor([[0.5], [-0.02], [0.02]], dtype=torch.float64))
    assert rule.error == (0.5 + 0.02 + 0.02) / 3
    assert str(rule) == (
        "not passed after 3 sequences; mean error 0.1800 of 0.01, 2 of 4 in a row right"
    )


def test_a_small_mean_is_not_enough_and_neither_is_a_small_error():
    """Both halves of the rule count."""
    one_wrong = PassRule(last=10)
    assert not one_wrong.update([0.0] * 9 + [0.05])
    assert one_wrong.error < one_wrong.mean
    all_right = PassRule(last=10)
    assert not all_right.update([0.02] * 10)
    assert all_right.run == 10


def test_both_bounds_are_stayed_below():
    """An error, or a mean, that is exactly its bound is not below it."""
    assert not PassRule(tolerance=0.5, mean=0.25, last=2).update([0.25, 0.25])
    assert not PassRule(tolerance=0.5, mean=1, last=2).update([0.25, 0.5])
    assert PassRule(tolerance=0.5, mean=0.25, last=2).update([0.25, 0.125])


def test_tensors_of_every_kind_are_errors():
    """Half precision, gradients and any shape are taken as they are."""
    rule = PassRule(last=6)
    error = torch.zeros(2, 3, dtype=torch.bfloat16, requires_grad=True)
    assert rule.update(error)


@given(ERRORS, st.integers(0, 30))
def test_a_saved_rule_goes_on(errors: list[float], cut: int):
    """Saved as JSON in between, it ends with the same state."""
    whole, first, second = (PassRule(last=4) for _ in range(3))
    whole.update(errors)
    first.update(errors[:cut])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.update(errors[cut:])
    one, other = whole.state_dict(), second.state_dict()
    assert np.array_equal(one.pop("recent"), other.pop("recent"), equal_nan=True)
    assert one == other


def test_a_state_of_a_longer_rule_is_refused():
    """It holds more than this rule looks at."""
    long, short = PassRule(last=5), PassRule(last=2)
    long.update([0.0] * 5)
    with pytest.raises(
        TaskError, match="last 2 sequences cannot go on from one over 5"
    ):
        short.load_state_dict(long.state_dict())


def test_fresh_sequences_are_counted_apart():
    """How many of a test set are wrong changes nothing."""
    rule = PassRule()
    before = copy.deepcopy(rule)
    assert rule.wrong(torch.tensor([0.039, -0.041, 0.04, math.nan])) == 3
    assert rule.state_dict() == before.state_dict()
