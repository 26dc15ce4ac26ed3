"""Centre and scale a series by what its training block alone says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .series import Series
from .windows import Block


@dataclass(frozen=True)
class Scale:
    """The mean and standard deviation of every column over the training block."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, series: Series, train: Block) -> Scale:
        """Measure the training block; nothing later is looked at."""
        block = series.values[train.start : train.stop]
        return cls(block.mean(axis=0), block.std(axis=0))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the values in training-std units, ``[N, I]``."""
        return (values - self.mean) / self.std

    def undo(self, forecast: np.ndarray) -> np.ndarray:
        """Return forecasts of the target in its own units."""
        return forecast * self.std[0] + self.mean[0]
