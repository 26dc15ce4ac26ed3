"""A recurrent layer and a linear one: what the tasks are learned by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cellwright.language.cell import Cell
from cellwright.nn import Recurrent


class Readout(nn.Module):
    """Say something at the last step of a sequence, or at every one.

    Args:
        layer: Any recurrent layer that takes ``[T, B, I]``, torch.nn's too.
        units: Features of its output.
        output_size: Numbers that are said.
        every_step: Whether at every step.

    Shape:
        - x: ``[T, B, I]``
        - lengths: ``[B]``; without it each sequence has all T steps.
        - output: ``[B, O]``, or ``[T, B, O]`` at every step.

    Example:
        >>> import torch, cellwright as cw
        >>> model = cw.train.Readout(torch.nn.GRU(2, 8), units=8, output_size=1)
        >>> tuple(model(torch.randn(20, 16, 2)).shape)
        (16, 1)
    """

    def __init__(
        self, layer: nn.Module, units: int, output_size: int, every_step: bool = False
    ):
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(units, output_size)
        self.every_step = every_step

    @classmethod
    def of(
        cls,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        output_size: int,
        every_step: bool = False,
        /,  # A cell may have a size named output_size, as Jordan's has.
        **options: Any,
    ) -> Readout:
        """Return one over a layer of a cell.

        Args:
            cell: What `cellwright.nn.Recurrent` takes.
            input_size: Features of the input.
            hidden_size: Units.
            output_size: Numbers that are said.
            every_step: Whether at every step.
            **options: Further arguments of `cellwright.nn.Recurrent`.
        """
        layer = Recurrent(cell, input_size, hidden_size, **options)
        return cls(layer, layer.output_size, output_size, every_step)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return what is said."""
        output = self.layer(x)[0]
        if self.every_step:
            return self.head(output)
        if lengths is None:
            return self.head(output[-1])
        # What comes after a sequence's last step reaches no step before it.
        rows = torch.arange(x.shape[1], device=x.device)
        return self.head(output[lengths - 1, rows])
