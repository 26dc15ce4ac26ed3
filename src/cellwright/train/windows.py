"""The windows of a series' blocks, and a forecaster's error on them.

Training sees the training and the middle block only; the test block never comes here
before the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cellwright.tasks import Plan, Split, targets

from .batches import Batch
from .model import Forecaster

WINDOWS_AT_ONCE = 1024
"""Windows of one forward pass without gradients."""


@dataclass(frozen=True)
class Windows:
    """Windows of one block, cut only when they are needed; a `Source` of batches.

    Attributes:
        scaled: The series in training-std units, ``[N, I]`` in float32.
        starts: First target rows, ``[B]``.
        plan: History and horizon.
        batch_size: Windows of a batch; the last one of an epoch has the rest.
    """

    scaled: Tensor
    starts: Tensor
    plan: Plan
    batch_size: int = WINDOWS_AT_ONCE

    @classmethod
    def of(
        cls,
        scaled: np.ndarray,
        starts: np.ndarray,
        plan: Plan,
        batch_size: int = WINDOWS_AT_ONCE,
    ) -> Windows:
        """Take the windows whose targets begin at ``starts``."""
        known = torch.tensor(scaled).float()
        return cls(known, torch.tensor(starts), plan, batch_size)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return math.ceil(len(self.starts) / self.batch_size)

    @property
    def carries(self) -> bool:
        """Each window is an example of its own."""
        return False

    def order(self) -> Tensor:
        """Draw an order of the windows."""
        return torch.randperm(len(self.starts))

    def batch(self, order: Tensor, index: int) -> Batch:
        """Return the windows of one batch."""
        begin = index * self.batch_size
        return Batch(*self.cut(order[begin : begin + self.batch_size]))

    def cut(self, chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return histories ``[B, T, I]`` and targets ``[B, horizon]``."""
        starts = self.starts[chosen, None]
        history = self.scaled[starts + torch.arange(-self.plan.history, 0)]
        return history, self.scaled[starts + torch.arange(self.plan.horizon), 0]


@torch.no_grad()
def forecast(model: Forecaster, windows: Windows) -> np.ndarray:
    """Forecast every window, ``[B, horizon]`` in training-std units and float64."""
    model.eval()
    parts = [
        model.scaled(windows.cut(slice(begin, begin + WINDOWS_AT_ONCE))[0])
        for begin in range(0, len(windows.starts), WINDOWS_AT_ONCE)
    ]
    return torch.cat(parts).double().numpy()


def middle_error(model: Forecaster, middle: Windows) -> float:
    """Return the mean squared error on the middle block."""
    truth = targets(
        middle.scaled.double().numpy(), middle.starts.numpy(), middle.plan.horizon
    )
    return float(np.mean((forecast(model, middle) - truth) ** 2))


def blocks(
    scaled: np.ndarray, split: Split, plan: Plan, batch_size: int = WINDOWS_AT_ONCE
) -> tuple[Windows, Windows]:
    """Return the windows to train on and those to choose by."""
    known = scaled[: split.middle.stop]
    return (
        Windows.of(known, plan.starts(split.train), plan, batch_size),
        Windows.of(known, plan.starts(split.middle), plan),
    )
