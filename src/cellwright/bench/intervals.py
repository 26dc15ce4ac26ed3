"""Medians and geometric means with their intervals, by resampling turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
COVERED = (2.5, 97.5)
"""Percentiles: an interval covers 95 % of what resampled turns give."""


class Interval(NamedTuple):
    """A value, and where it would lie in 95 of 100 repetitions."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """Return the same in another unit."""
        return Interval(*(factor * each for each in self))


def median_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the median of some turns with its interval.

    Args:
        values: a value for each turn.
        seed: of the resampling.

    Example:
        >>> median_interval([2.0, 2.0, 2.0])
        Interval(value=2.0, low=2.0, high=2.0)
    """
    draws = _medians(values, np.random.default_rng(seed))
    low, high = np.percentile(draws, COVERED)
    return Interval(float(np.median(values)), float(low), float(high))


def mean_interval(rows: Sequence[Sequence[float]], seed: int = 0) -> Interval:
    """Return the geometric mean of the medians of rows, with its interval.

    Turns are resampled within each row; the rows themselves are fixed, because they are
    chosen and not drawn.

    Args:
        rows: the values of each row's turns, all above 0.
        seed: of the resampling.

    Example:
        >>> mean_interval([[0.5, 0.5], [2.0, 2.0]])
        Interval(value=1.0, low=1.0, high=1.0)
    """
    random = np.random.default_rng(seed)
    draws = np.mean([np.log(_medians(row, random)) for row in rows], axis=0)
    low, high = np.exp(np.percentile(draws, COVERED))
    value = np.exp(np.mean([np.log(np.median(row)) for row in rows]))
    return Interval(float(value), float(low), float(high))


def _medians(values: Sequence[float], random: np.random.Generator) -> np.ndarray:
    turns = np.array(values)
    chosen = random.integers(len(turns), size=(RESAMPLES, len(turns)))
    return np.median(turns[chosen], axis=1)
