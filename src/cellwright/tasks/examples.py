"""Sequences that a task draws, with what is asked about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .errors import TaskError


@dataclass(frozen=True, slots=True)
class Examples:
    """A batch of sequences and their targets.

    Attributes:
        x: The inputs.
        target: What the network is to say, at the last step or at every step.
        lengths: How many steps each sequence has, where they differ; the rest of ``x``
            is 0. None when every sequence has all steps.

    Shape:
        - x: ``[T, B, I]``.
        - target: ``[B, O]`` at the last step, ``[T, B, O]`` at every step.
        - lengths: ``[B]``.
    """

    x: Tensor
    target: Tensor
    lengths: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[1]

    def rows(self, start: int, stop: int) -> Examples:
        """Return some of the sequences: a process's share, or a part of a batch.

        Example:
            >>> from cellwright.tasks import Adding
            >>> drawn = Adding(steps=10).draw(8)
            >>> tuple(drawn.rows(2, 5).x.shape), len(drawn.rows(2, 5))
            ((10, 3, 2), 3)
        """
        lengths = None if self.lengths is None else self.lengths[start:stop]
        # The batch is the last axis but one of both kinds of targets.
        target = self.target[..., start:stop, :]
        return Examples(self.x[:, start:stop], target, lengths)

    def to(self, device: torch.device | str) -> Examples:
        """Return the examples on a device; the lengths too."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return replace(
            self, x=self.x.to(device), target=self.target.to(device), lengths=lengths
        )


def whole(task: str, name: str, value: object, least: int) -> int:
    """Return a number of steps or sequences that a person gave.

    Raises:
        TaskError: It is no whole number, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TaskError(
            f"{task}: {name} is a whole number, at least {least}; "
            f"found {name}={value!r}"
        )
    return value


def device_of(generator: torch.Generator | None) -> torch.device:
    """Return where draws of a generator lie; torch's global one draws on the CPU."""
    return torch.device("cpu") if generator is None else generator.device
