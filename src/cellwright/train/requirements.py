"""What the loop asks of a loss, an optimiser and a callback that are given to it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .batches import Batch
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


@contextmanager
def same_layout(model: nn.Module, batch: Batch) -> Iterator[None]:
    """Watch a call of a model: what reads the batch itself takes its rows for rows.

    A layer that takes time for rows learns something, and nothing of what was meant.

    Raises:
        SettingsError: A layer with ``batch_first`` gets the batch in the other layout.
    """
    if batch.x.dim() < 3:
        yield
        return

    def look(layer: Any, given: tuple[Any, ...]) -> None:
        x = given[0] if given else None
        first = batch.axis == 0
        if isinstance(x, Tensor) and _same(x, batch.x) and layer.batch_first != first:
            name = next(n for n, module in model.named_modules() if module is layer)
            rows, time = ("first", "second") if first else ("second", "first")
            raise SettingsError(
                f"{name or 'model'} ({type(layer).__name__}) has batch_first="
                f"{layer.batch_first}; found data whose rows are the {rows} axis and "
                f"whose steps are the {time}: {list(batch.x.shape)}\n"
                f"  fix: a layer with batch_first={first}, or data with batch_first="
                f"{layer.batch_first}"
            )

    with ExitStack() as stack:
        for layer in model.modules():
            if isinstance(getattr(layer, "batch_first", None), bool):
                stack.callback(layer.register_forward_pre_hook(look).remove)
        yield


def _same(x: Tensor, whole: Tensor) -> bool:
    """Say whether a tensor is another one, or steps of it: not its transpose."""
    return (
        x.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        and x.dim() == whole.dim()
        and x.stride() == whole.stride()
        and whole.shape[:2] != (1, 1)
    )


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
