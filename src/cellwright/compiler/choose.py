"""Which backend runs, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import torch

from cellwright.backends.c.kernel import DTYPES
from cellwright.backends.c.levels import VARIABLE, best_level
from cellwright.backends.c.toolchain import why_unavailable
from cellwright.errors import CellwrightValueError

BACKENDS = ("auto", "c", "reference")
"""What a layer's ``backend=`` may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it runs."""

    backend: str
    reason: str


class BackendError(CellwrightValueError):
    """A backend that does not exist or cannot run this."""


def choose(
    backend: str,
    torch_has_it: bool = False,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Choice:
    """Return the backend that runs, with the reason in words.

    Args:
        backend: what was asked for.
        torch_has_it: whether torch itself computes this (the drop-ins), so that its
            own path can run too, also by the name ``"torch"``.
        device: where it runs; the CPU when it is None.
        dtype: of its tensors; float32 when it is None.

    Raises:
        BackendError: for a name that is no backend, or for ``"c"`` where it cannot run.
    """
    where = None if device is None else device.type
    words = os.environ.get(VARIABLE), os.environ.get("CC"), os.environ.get("PATH")
    return _choose(backend, torch_has_it, where, dtype, words)


@lru_cache(maxsize=256)
def _choose(
    backend: str,
    torch_has_it: bool,
    device: str | None,
    dtype: torch.dtype | None,
    _: tuple[str | None, ...],
) -> Choice:
    # A layer asks at every call; the answer hangs on these words of the environment.
    known = (*BACKENDS, "torch") if torch_has_it else BACKENDS
    if backend not in known:
        listed = ", ".join(map(repr, known))
        raise BackendError(f"backend={backend!r} is none of {listed}")
    if backend in ("torch", "reference"):
        return Choice(backend, f"asked for by backend={backend!r}")
    missing = _why_not_c(device, dtype)
    if missing is None:
        kernel = f"a compiled kernel, {best_level().name}"
        asked = ", asked for by backend='c'" if backend == "c" else ""
        return Choice("c", kernel + asked)
    if backend == "c":
        raise BackendError(f"backend='c': {missing}")
    return Choice("torch" if torch_has_it else "reference", missing)


def _why_not_c(device: str | None, dtype: torch.dtype | None) -> str | None:
    if device not in (None, "cpu"):
        return f"there are no kernels for {device} yet"
    if dtype is not None and dtype not in DTYPES:
        word = str(dtype).removeprefix("torch.")
        return f"kernels compute in float32 and float64, not in {word}"
    return why_unavailable()
