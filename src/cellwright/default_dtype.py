"""Make new tensors float64 for a while: those that a forward makes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float64_by_default() -> Iterator[None]:
    """Let ``torch.zeros`` in a forward be as wide as weights in float64 are.

    torch's own default is put back when the block ends, also by an error.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
