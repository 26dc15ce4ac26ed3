"""What the loop asks of a loss, an optimiser and a callback that are given to it."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from torch import Tensor, nn

from .errors import SettingsError


def require_number(loss: Tensor) -> Tensor:
    """Return a loss, which must be one number.

    Raises:
        SettingsError: It is a tensor of several.
    """
    if loss.dim():
        raise SettingsError(
            f"a loss is one number, a mean; found a tensor of {list(loss.shape)}\n"
            "  fix: loss=lambda said, target: (...).mean()"
        )
    return loss


def require_fitting(optimiser: torch.optim.Optimizer, model: nn.Module) -> None:
    """Refuse an optimiser that cannot train a model by plain steps.

    Raises:
        SettingsError: It changes no weight of the model, or asks for the loss again.
    """
    own = {id(weight) for weight in model.parameters()}
    changed = [w for group in optimiser.param_groups for w in group["params"]]
    if not any(id(weight) in own for weight in changed):
        raise SettingsError(
            f"the optimiser changes weights of the model; {type(optimiser).__name__} "
            "has none of them\n  fix: make it of this model's parameters()"
        )
    closure = inspect.signature(optimiser.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise SettingsError(
            f"{type(optimiser).__name__} evaluates the loss many times in one step, "
            "which this loop does not\n  fix: a loop of your own, as in examples/"
        )


def says_true(answer: object) -> bool:
    """Say whether a callback returned True, be it Python's, NumPy's or torch's."""
    if isinstance(answer, Tensor):
        return answer.dtype == torch.bool and answer.numel() == 1 and bool(answer)
    return isinstance(answer, bool | np.bool_) and bool(answer)
