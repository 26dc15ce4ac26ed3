"""Centre and scale a series by what its training block alone says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import DataError
from .series import Series, scale_faults
from .windows import Block


@dataclass(frozen=True)
class Scale:
    """The mean and standard deviation of every column over the training block."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, series: Series, train: Block) -> Scale:
        """Measure the training block; nothing later is looked at.

        Raises:
            DataError: A column cannot be scaled: its standard deviation is not finite,
                or next to nothing.
        """
        block = series.values[train.start : train.stop]
        # An overflow becomes an error that names the column, just below.
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = block.mean(axis=0), block.std(axis=0)
        faults = [
            fault
            for name, size in zip(series.columns, std.tolist(), strict=True)
            for fault in scale_faults(name, size)
        ]
        if faults:
            raise DataError(series.file or series.name, faults)
        return cls(mean, std)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the values in training-std units, ``[N, I]``."""
        return (values - self.mean) / self.std

    def undo(self, forecast: np.ndarray) -> np.ndarray:
        """Return forecasts of the target in its own units."""
        return forecast * self.std[0] + self.mean[0]
