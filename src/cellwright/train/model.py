"""The forecaster: a recurrent layer, a linear layer, and the series' scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.language.cell import Cell
from cellwright.nn import Recurrent

from .errors import InputError


class Forecaster(nn.Module):
    """Forecast the target from the last rows of a series, raw values to raw values.

    The scale travels as buffers, in float64: a series far from 0 keeps its digits.

    Args:
        cell: What `cellwright.nn.Recurrent` takes: a name, a path, a text, a Cell.
        columns: Names of the target and of the inputs, for messages.
        history: Rows that the forecaster was trained on; others are accepted.
        horizon: Steps of a forecast.
        hidden_size: Units of each layer.
        num_layers: Recurrent layers.
        change: The linear layer says how far each step lies from the last known value,
            so that a series may rise to where it never was; else the values themselves.
        dropout: Between layers and before the linear layer, in training only.
        cell_options: Further arguments of `cellwright.nn.Recurrent`: the cell's sizes
            and constants, ``forget_bias``, ...
        mean: The columns' means over the training block.
        std: The columns' standard deviations over the training block.

    Shape:
        ``[B, T, I]`` -> ``[B, horizon]``; unbatched ``[T, I]`` -> ``[horizon]``.
        I counts the target, first, and the inputs; T is at least 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        cell: str | Cell,
        columns: Sequence[str],
        history: int,
        horizon: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        change: bool = True,
        dropout: float = 0.0,
        cell_options: Mapping[str, Any] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ):
        super().__init__()
        width = len(columns)
        self.columns = tuple(columns)
        self.history = history
        self.horizon = horizon
        self.change = change
        self.recurrent = Recurrent(
            cell,
            input_size=width,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            batch_first=True,
            **dict(cell_options or {}),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size, horizon)
        means = [0.0] * width if mean is None else list(mean)
        stds = [1.0] * width if std is None else list(std)
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(stds, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Forecast in the target's own units."""
        if x.dim() not in (2, 3) or x.shape[-1] != len(self.columns):
            raise InputError(
                f"Forecaster: the input is [B, T, I={len(self.columns)}] or "
                f"[T, I={len(self.columns)}], the last axis being the columns "
                f"{', '.join(self.columns)}; found {list(x.shape)}"
            )
        raw = x if x.is_floating_point() else x.to(self.mean.dtype)
        scaled = (raw.to(self.mean.dtype) - self.mean) / self.std
        forecast = self.scaled(scaled.to(self.head.weight.dtype))
        result = forecast.to(self.mean.dtype) * self.std[0] + self.mean[0]
        return result.to(raw.dtype)

    def scaled(self, x: Tensor) -> Tensor:
        """Forecast from and in training-std units; training works here."""
        output, _ = self.recurrent(x)  # [B, T, H]
        said = self.head(self.dropout(output[..., -1, :]))  # [B, horizon]
        return x[..., -1, :1] + said if self.change else said


class Scaled(nn.Module):
    """A forecaster as training sees it, from and to training-std units.

    Args:
        forecaster: Whose weights these are.
    """

    def __init__(self, forecaster: Forecaster):
        super().__init__()
        self.forecaster = forecaster

    def forward(self, x: Tensor) -> Tensor:
        """Forecast ``[B, T, I]`` to ``[B, horizon]``."""
        return self.forecaster.scaled(x)
