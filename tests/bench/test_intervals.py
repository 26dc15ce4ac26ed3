"""Tests of `cellwright.bench.intervals`."""

from __future__ import annotations

import numpy as np

from cellwright.bench.intervals import Interval, mean_interval, median_interval


def test_median_lies_in_its_interval():
    """The interval is around the value, and narrow where turns are alike."""
    found = median_interval([1.0, 2.0, 3.0, 4.0, 100.0])

    assert found.low <= found.value == 3.0 <= found.high
    assert median_interval([2.0] * 5) == Interval(2.0, 2.0, 2.0)


def test_the_same_turns_have_the_same_interval():
    """Resampling is seeded."""
    turns = [1.0, 5.0, 2.0, 8.0]

    assert median_interval(turns) == median_interval(turns)
    assert mean_interval([turns, turns]) == mean_interval([turns, turns])


def test_intervals_cover_the_truth():
    """Of 200 draws of 15 turns, about 95 % of the intervals hold the true median."""
    random = np.random.default_rng(0)
    draws = np.exp(0.3 * random.standard_normal((200, 15)))
    found = [median_interval(row.tolist()) for row in draws]
    held = sum(each.low <= 1.0 <= each.high for each in found)

    assert 176 <= held <= 199


def test_intervals_of_means_cover_the_truth():
    """The same of the geometric mean of eight rows, whose interval is narrower."""
    random = np.random.default_rng(1)
    draws = np.exp(0.3 * random.standard_normal((100, 8, 15)))
    found = [mean_interval(rows.tolist()) for rows in draws]
    held = sum(each.low <= 1.0 <= each.high for each in found)
    single = [median_interval(rows[0].tolist()) for rows in draws]

    assert 85 <= held <= 100
    wide, narrow = (np.mean([e.high - e.low for e in es]) for es in (single, found))
    assert narrow < wide / 2


def test_means_are_geometric():
    """Half as fast and twice as fast is the same."""
    assert mean_interval([[0.5, 0.5], [2.0, 2.0]]).value == 1.0
