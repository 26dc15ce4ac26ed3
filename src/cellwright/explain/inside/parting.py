"""Where two sequences of values part, and what to say of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Parting:
    """The first step at which two tensors differ by more than a bound.

    Args:
        step: its place along the first axis.
        row: of the batch.
        unit: of the last axis; 0 of a scalar.
        here: the value there in the first tensor.
        there: the value in the second.
        steps: at how many steps they differ so.
        largest: the largest difference of all steps.
    """

    step: int
    row: int
    unit: int
    here: float
    there: float
    steps: int
    largest: float


def step_errors(actual: Tensor, expected: Tensor) -> Tensor:
    """Return `tolerances.error` of every step: relative to its largest entry above 1.

    Args:
        actual: with steps along its first axis.
        expected: likewise, of the same shape.

    Example:
        >>> step_errors(torch.tensor([[1.0], [20.0]]), torch.tensor([[1.0], [10.0]]))
        tensor([0., 1.], dtype=torch.float64)
    """
    apart, expected = _apart(actual, expected)
    if not apart.numel():
        return apart.new_zeros(len(apart))
    size = expected.abs().where(expected.isfinite(), 0).flatten(1)
    return apart.flatten(1).amax(1) / size.amax(1).clamp(min=1)


def parting(actual: Tensor, expected: Tensor, bound: float) -> Parting | None:
    """Return where two tensors part, None where they do not.

    Args:
        actual: ``[T, B, H]`` or ``[T, B]``.
        expected: likewise.
        bound: the largest error of a step that still counts as equal.
    """
    errors = step_errors(actual, expected)
    beyond = errors > bound
    if not bool(beyond.any()):
        return None
    step = int(beyond.int().argmax())
    place = int(_apart(actual, expected)[0][step].argmax())
    row, unit = divmod(place, actual[step, 0].numel())
    here, there = (float(v[step].reshape(-1)[place]) for v in (actual, expected))
    steps, largest = int(beyond.sum()), float(errors.max())
    return Parting(step, row, unit, here, there, steps, largest)


def _apart(actual: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    a, b = actual.double(), expected.double()
    equal = (a == b) | (a.isnan() & b.isnan())
    infinite = torch.full_like(a, float("inf"))
    apart = (a - b).abs()
    return apart.where(~apart.isnan(), infinite).where(~equal, 0), b
