"""What a loss is, and the one that is taken if none is given."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .errors import SettingsError

Loss = Callable[[Tensor, Tensor], Tensor]
"""From predictions and targets to their mean loss."""


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of tensors of one shape.

    Raises:
        SettingsError: The shapes differ; torch would stretch one to fit the other.
    """
    if prediction.shape != target.shape:
        raise SettingsError(
            "the model's output and the target have one shape; found "
            f"{list(prediction.shape)} and {list(target.shape)}\n"
            "  fix: give y the shape of the output, or a loss that takes both"
        )
    return nn.functional.mse_loss(prediction, target)
