"""Keep torch.autocast out of kernels and of what stands in for them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def is_autocast(device: str) -> bool:
    """Tell whether torch casts operations on a type of device just now."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def without_autocast(device: str) -> AbstractContextManager[object]:
    """Return a context in which operations compute in the dtype of their tensors.

    A kernel reads memory of one dtype, and autocast would hand it weights in another.

    Args:
        device: type of the device.
    """
    if is_autocast(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()
