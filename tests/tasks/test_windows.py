import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.tasks import Plan, Split, TaskError, histories, targets

PLANS = st.builds(Plan, history=st.integers(1, 30), horizon=st.integers(1, 30))


@given(rows=st.integers(0, 10_000))
def test_split_covers_every_row_once(rows):
    """The three blocks follow each other without a gap or an overlap."""
    split = Split.of(rows)
    edges = [split.train.start, split.train.stop, split.middle.stop, split.test.stop]
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (0, rows)
    assert split.middle.start == split.train.stop
    assert split.test.start == split.middle.stop


@given(plan=PLANS, more=st.integers(0, 50))
def test_targets_stay_inside_their_block(plan, more):
    """No target leaves its window's block; a history is whole and ends before it."""
    rows = plan.least_rows() + more
    split = plan.split(rows)
    numbers = np.arange(rows)[:, None]
    for block in (split.train, split.middle, split.test):
        starts = plan.starts(block)
        said = targets(numbers, starts, plan.horizon)
        seen = histories(numbers, starts, plan.history)[..., 0]
        assert said.min() >= block.start
        assert said.max() == block.stop - 1
        assert seen.min() >= 0
        assert (seen[:, -1] == said[:, 0] - 1).all()
        assert (np.diff(seen, axis=1) == 1).all()


@given(plan=PLANS)
def test_least_rows_is_the_least(plan):
    """With one row less, some block has too few windows."""
    rows = plan.least_rows()
    split = plan.split(rows - 1)
    counts = [
        len(plan.starts(block)) for block in (split.train, split.middle, split.test)
    ]
    assert counts[0] < 10 or min(counts) < 1


def test_longer_history_leaves_the_test_windows():
    """A baseline with a longer history forecasts exactly the model's windows."""
    plan = Plan(20, 20)
    test = plan.split(2820).test
    assert (plan.starts(test) == plan.starts(test, 168)).all()


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (2.0, 1), (-3, 5)])
def test_sizes_are_whole_and_positive(sizes):
    """A history or horizon that is no positive whole number is refused."""
    with pytest.raises(TaskError, match="at least 1"):
        Plan(*sizes)


@given(plan=PLANS)
def test_every_length_from_the_least_on_fits(plan):
    """It is the row after the last length at which some block has too few windows."""

    def fits(rows):
        split = plan.split(rows)
        counts = [len(plan.starts(b)) for b in (split.train, split.middle, split.test)]
        return counts[0] >= 10 and min(counts) >= 1

    longest = 10 * (plan.horizon + 1) + 2 * (plan.history + plan.horizon + 10)
    last = max(rows for rows in range(longest + 50) if not fits(rows))
    assert plan.least_rows() == last + 1


def test_least_rows_of_a_long_history():
    """A history of any length is answered at once."""
    assert Plan(10**15, 1).least_rows() == -(-(10**15 + 10) * 10 // 7)
