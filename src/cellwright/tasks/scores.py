"""How far forecasts are from the truth, over all steps and for each step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Score:
    """The errors of one forecaster over all test windows.

    Attributes:
        name: The forecaster.
        mse: Mean squared error over all steps, in squared training-std units.
        rmse: Its root, in the target's own units.
        mae: Mean absolute error, in the target's own units.
        mse_by_step: The mean squared error of each step, nearest first.
        lags: Rows of history that the forecaster looks at.
    """

    name: str
    mse: float
    rmse: float
    mae: float
    mse_by_step: tuple[float, ...]
    lags: int

    def to_json(self) -> dict[str, Any]:
        """Return plain data for ``metrics.json``."""
        return asdict(self)


def score(
    name: str, forecast: np.ndarray, truth: np.ndarray, std: float, lags: int
) -> Score:
    """Score forecasts against the truth, both scaled, ``[B, horizon]``.

    Example:
        >>> score("flat", np.zeros((1, 2)), np.array([[1.0, 3.0]]), 2.0, 1).mse
        5.0
    """
    error = np.asarray(forecast, np.float64) - truth
    squares = error**2
    return Score(
        name,
        float(squares.mean()),
        float(np.sqrt(squares.mean()) * std),
        float(np.abs(error).mean() * std),
        tuple(float(step) for step in squares.mean(axis=0)),
        lags,
    )
