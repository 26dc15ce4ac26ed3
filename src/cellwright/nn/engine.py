"""Decide what runs a layer: torch's own path, or one of our backends."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from cellwright.compiler.choose import BackendError, Choice, choose


class SlowPathWarning(UserWarning):
    """A layer runs by the reference, because no kernel can run it."""


def choose_engine(backend: str, beyond: Sequence[str], like: Tensor) -> Choice:
    """Return what runs a drop-in, with the reason in words.

    Args:
        backend: what was asked for.
        beyond: what is asked for that torch.nn has not, in words.
        like: a tensor of its dtype and device.

    Raises:
        BackendError: for a name that is no backend, and for ``"torch"`` where torch.nn
            has not what is asked for.
    """
    return _choose_engine(backend, beyond, like.device, like.dtype)


def _choose_engine(
    backend: str, beyond: Sequence[str], device: torch.device, dtype: torch.dtype
) -> Choice:
    choice = choose(backend, True, device, dtype)
    if choice.backend != "torch" or not beyond:
        return choice
    listed = ", ".join(beyond)
    if backend == "torch":
        raise BackendError(
            f"backend='torch': torch.nn has no {listed}; take backend='auto'"
        )
    return Choice("reference", f"{choice.reason}, and torch.nn has no {listed}")


@torch.compiler.assume_constant_result
def engine_name(backend: str, beyond: str, device: str, dtype: torch.dtype) -> str:
    """Return the name of what `choose_engine` chooses.

    Its arguments are plain, because torch.compile takes the answer for a constant.

    Args:
        backend: what was asked for.
        beyond: what is asked for that torch.nn has not, in words; empty for nothing.
        device: type of the device.
        dtype: of all tensors.
    """
    asked = [beyond] if beyond else []
    return _choose_engine(backend, asked, torch.device(device), dtype).backend


@torch.compiler.assume_constant_result
def has_kernels(backend: str, device: str, dtype: torch.dtype) -> bool:
    """Tell whether kernels run a layer that torch.nn has not.

    Its arguments are those of `engine_name`, and plain for the same reason.
    """
    return choose(backend, False, torch.device(device), dtype).backend == "c"


@lru_cache(maxsize=64)
def warn_of_reference(layer: str, reason: str) -> None:
    """Warn, once for each reason, that nothing faster than the reference runs.

    Warns:
        SlowPathWarning: with the reason.
    """
    warnings.warn(
        f"{layer} runs by the reference, step by step in torch: {reason}",
        SlowPathWarning,
        stacklevel=2,
    )
