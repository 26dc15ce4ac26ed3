"""The simplest forecasters, on exactly the windows and units of the model.

What a baseline learns comes from the training block; what it chooses (a lag, a season)
is chosen on the middle block, as the model's best epoch is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .errors import TaskError
from .windows import Block, Plan, Split, histories, targets

LARGEST_LAG = 168
"""A week of hours, and more than the 132 months of a solar cycle."""

SEASONS_TRIED = 12
ROWS_AT_ONCE = 4096
DEPENDENT = 1e-10
"""A diagonal entry of R this small, relative to the largest: a dependent column.

Rounding leaves 1e-16 times the square root of the rows where nothing should be left,
1e-13 for a million rows; solving with an entry above 1e-10 keeps six digits."""


@dataclass(frozen=True)
class Baseline:
    """A named forecast of every test window.

    Attributes:
        name: What tables and plots call it.
        lags: Rows of history that it looks at.
        forecast: The forecasts in training-std units, ``[B, horizon]``.
    """

    name: str
    lags: int
    forecast: np.ndarray


def all_baselines(
    scaled: np.ndarray, split: Split, plan: Plan, season: int | None = None
) -> tuple[Baseline, ...]:
    """Forecast the test windows with each baseline.

    Args:
        scaled: The series in training-std units, ``[N, I]``, target first.
        split: The three blocks.
        plan: History and horizon of the windows.
        season: The period of the seasonal naive; chosen on the middle block if None.

    Returns:
        Persistence, seasonal naive (absent where the series has no season),
        the autoregression over the plan's history, and the one with its best lag.

    Raises:
        TaskError: The season is longer than the training block.
    """
    starts = plan.starts(split.test)
    found = [Baseline("persistence", 1, persistence(scaled, starts, plan.horizon))]
    season = best_season(scaled, split, plan) if season is None else season
    if season is not None:
        check_season(season, split)
        forecast = seasonal_naive(scaled, starts, plan.horizon, season)
        found.append(Baseline(f"seasonal naive ({season})", season, forecast))
    best = best_lag(scaled, split, plan)
    for lags, name in ((plan.history, "AR({})"), (best, "AR({}), best lag")):
        fitted = Autoregression.fit(scaled, split.train, plan.horizon, lags)
        forecast = fitted.forecast(scaled, starts)
        found.append(Baseline(name.format(lags), lags, forecast))
    return tuple(found)


def check_season(season: int, split: Split) -> None:
    """Make sure that every window has a row one season before it.

    Raises:
        TaskError: The season is longer than the training block.
    """
    if not 1 <= season <= split.train.stop:
        raise TaskError(
            f"a season is between 1 and the {split.train.stop} rows of the "
            f"training block; found season={season}"
        )


def persistence(scaled: np.ndarray, starts: np.ndarray, horizon: int) -> np.ndarray:
    """Say the last known value for every step, ``[B, horizon]``."""
    return np.repeat(scaled[starts - 1, :1], horizon, axis=1)


def seasonal_naive(
    scaled: np.ndarray, starts: np.ndarray, horizon: int, season: int
) -> np.ndarray:
    """Say the last known value of the same phase for every step, ``[B, horizon]``."""
    return scaled[starts[:, None] - season + np.arange(horizon) % season, 0]


def best_season(scaled: np.ndarray, split: Split, plan: Plan) -> int | None:
    """Choose a season among the peaks of the training block's autocorrelation.

    Returns:
        The peak with the least error on the middle block, or None without a peak.
    """
    peaks = autocorrelation_peaks(scaled[: split.train.stop, 0])
    starts = plan.starts(split.middle)
    truth = targets(scaled, starts, plan.horizon)
    errors = {
        lag: np.mean((seasonal_naive(scaled, starts, plan.horizon, lag) - truth) ** 2)
        for lag in peaks
    }
    return min(errors, key=lambda lag: errors[lag], default=None)


def autocorrelation_peaks(values: np.ndarray) -> list[int]:
    """Return the lags of the highest positive peaks, at most half the length.

    Example:
        >>> wave = np.sin(2 * np.pi * np.arange(100) / 12)
        >>> autocorrelation_peaks(wave)
        [12, 24, 36, 48]
    """
    centred = values - values.mean()
    power = np.abs(np.fft.rfft(centred, 2 * len(values))) ** 2
    r = np.fft.irfft(power)[: len(values) // 2 + 1]
    inner = np.arange(2, len(r) - 1)
    peaks = inner[
        (r[inner] > r[inner - 1]) & (r[inner] >= r[inner + 1]) & (r[inner] > 0)
    ]
    return [int(lag) for lag in sorted(peaks, key=lambda lag: -r[lag])[:SEASONS_TRIED]]


@dataclass(frozen=True)
class Autoregression:
    """A direct linear forecast of every step from the last ``lags`` rows.

    Attributes:
        lags: Rows of history.
        weight: ``[1 + lags * I, horizon]``: the intercept, then all columns of the
            newest row, then those of the row before, and so on.
    """

    lags: int
    weight: np.ndarray

    @classmethod
    def fit(
        cls, scaled: np.ndarray, train: Block, horizon: int, lags: int
    ) -> Autoregression:
        """Fit by least squares over all windows of the training block."""
        starts = Plan(lags, horizon).starts(train)
        r, q_targets = _triangle(scaled, starts, horizon, lags)
        return cls(lags, _solve(r, q_targets))

    def forecast(self, scaled: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Forecast from each start, ``[B, horizon]``."""
        blocks = [
            _design(scaled, part, self.lags) @ self.weight for part in _parts(starts)
        ]
        return np.concatenate(blocks)


def best_lag(scaled: np.ndarray, split: Split, plan: Plan) -> int:
    """Choose the autoregression's lag by its error on the middle block.

    All lags are fitted on the same windows. One QR decomposition serves them all: the
    design of a smaller lag is the first columns of that of a larger one.
    """
    width = scaled.shape[1]
    rows = split.train.stop - plan.horizon
    # Twice as many windows as coefficients: beyond it a fit only remembers.
    fitting = (rows - 1) // (2 * width + 1)
    largest = max(1, min(LARGEST_LAG, fitting))
    starts = plan.starts(split.train, largest)
    r, q_targets = _triangle(scaled, starts, plan.horizon, largest)
    middle = plan.starts(split.middle)
    design = _design(scaled, middle, largest)
    truth = targets(scaled, middle, plan.horizon)
    errors = []
    for lag in range(1, largest + 1):
        size = min(1 + lag * width, len(r))
        weight = _solve(r[:size, :size], q_targets[:size])
        errors.append(np.mean((design[:, :size] @ weight - truth) ** 2))
    return 1 + int(np.argmin(errors))


def _design(scaled: np.ndarray, starts: np.ndarray, lags: int) -> np.ndarray:
    newest_first = histories(scaled, starts, lags)[:, ::-1]
    ones = np.ones((len(starts), 1))
    return np.concatenate([ones, newest_first.reshape(len(starts), -1)], axis=1)


def _triangle(
    scaled: np.ndarray, starts: np.ndarray, horizon: int, lags: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return R and Q^T Y of the least squares, without ever holding the design.

    The R of stacked row blocks is the R of the blocks' stacked Rs, so long series
    are decomposed piece by piece; squaring the design, as normal equations do, would
    square its condition number.
    """
    joined = np.zeros((0, 0))
    for part in _parts(starts):
        block = np.concatenate(
            [_design(scaled, part, lags), targets(scaled, part, horizon)], axis=1
        )
        stacked = block if not joined.size else np.concatenate([joined, block])
        joined = np.asarray(np.linalg.qr(stacked, mode="r"))
    size = joined.shape[1] - horizon
    return joined[:size, :size], joined[:size, size:]


def _solve(r: np.ndarray, q_targets: np.ndarray) -> np.ndarray:
    """Solve R w = Q^T Y; of many solutions (collinear columns), the shortest."""
    diagonal = np.abs(np.diagonal(r))
    if r.shape[0] == r.shape[1] and diagonal.min() > DEPENDENT * diagonal.max():
        return np.linalg.solve(r, q_targets)
    return np.linalg.lstsq(r, q_targets, rcond=None)[0]


def _parts(starts: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(starts), ROWS_AT_ONCE):
        yield starts[begin : begin + ROWS_AT_ONCE]
