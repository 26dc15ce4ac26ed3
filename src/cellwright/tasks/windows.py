"""Split a series by time and cut windows that stay on their side of the split.

A window is named by the row of its first target. Its targets lie wholly inside one
block, which is the window's block. Its history is what was known by then, so it may
reach back into an earlier block: that leaks nothing, it is how a forecaster works.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import TaskError

TRAIN_PERCENT = 70
MIDDLE_PERCENT = 10
LEAST_WINDOWS = 10
"""Fewer training windows than this are refused: nothing can be fitted to them."""


@dataclass(frozen=True, slots=True)
class Block:
    """The rows ``start <= row < stop`` of a series."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Split:
    """Three blocks in the order of time; the last is for the one final measurement.

    Example:
        >>> Split.of(2820)
        Split(train=Block(start=0, stop=1974), middle=Block(start=1974, stop=2256), \
test=Block(start=2256, stop=2820))
    """

    train: Block
    middle: Block
    test: Block

    @classmethod
    def of(cls, rows: int) -> Split:
        """Cut ``rows`` rows 70/10/20, in whole numbers."""
        first = rows * TRAIN_PERCENT // 100
        second = rows * (TRAIN_PERCENT + MIDDLE_PERCENT) // 100
        return cls(Block(0, first), Block(first, second), Block(second, rows))


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps a forecaster sees and how many it says.

    Example:
        >>> Plan(history=20, horizon=20).least_rows()
        197
    """

    history: int
    horizon: int

    def __post_init__(self) -> None:
        for name in ("history", "horizon"):
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise TaskError(
                    f"{name} is a whole number of steps, at least 1; "
                    f"found {name}={size!r}"
                )

    def __str__(self) -> str:
        return f"history={self.history}, horizon={self.horizon}, split 70/10/20"

    def split(self, rows: int) -> Split:
        """Return the blocks of a series of so many rows."""
        return Split.of(rows)

    def starts(self, block: Block, history: int | None = None) -> np.ndarray:
        """Return the first target rows of all windows of a block, in order.

        Args:
            block: Holds all targets of each window.
            history: Rows that must precede the first target; the plan's by default.
        """
        reach = self.history if history is None else history
        return np.arange(max(block.start, reach), block.stop - self.horizon + 1)

    def least_rows(self) -> int:
        """Return from how many rows on each block has a window, the training ten.

        Rounding lets some shorter series fit and a longer one not; none from here on.
        """
        # The training block has floor(7 N / 10) rows, which never shrinks with N.
        in_training = self.history + self.horizon + LEAST_WINDOWS - 1
        for_training = -(-in_training * 100 // TRAIN_PERCENT)
        # The middle block of N = 10 q + r rows has q rows, and one more for r = 4, 5,
        # 7, 8, 9: it is too short for the last time at q = horizon - 1, r = 6. The
        # test block is at least as long.
        for_middle = 10 * (self.horizon - 1) + 7
        return max(for_training, for_middle)


def histories(values: np.ndarray, starts: np.ndarray, history: int) -> np.ndarray:
    """Cut the rows before each start.

    Shape:
        values ``[N, I]``, starts ``[B]`` -> ``[B, history, I]``, oldest row first.
    """
    return values[starts[:, None] + np.arange(-history, 0)]


def targets(values: np.ndarray, starts: np.ndarray, horizon: int) -> np.ndarray:
    """Cut the target column from each start on.

    Shape:
        values ``[N, I]``, starts ``[B]`` -> ``[B, horizon]``, nearest step first.
    """
    return values[starts[:, None] + np.arange(horizon), 0]
