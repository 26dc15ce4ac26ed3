"""Torch's own OpenMP threads, for kernels that are no part of torch.

A second pool of threads would fight the one that torch's matrix products spin in. The
functions are looked up in the process, so they are those that torch itself calls.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache


class Process:
    """Whether this process was forked: a team that is started there never comes."""

    forked = False


def _mark_forked() -> None:
    Process.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)


def team() -> tuple[int, int]:
    """Return the addresses of ``GOMP_parallel`` and ``omp_in_parallel``, 0 for none.

    In a forked child there is none: OpenMP's threads did not come along.
    """
    return (0, 0) if Process.forked else _addresses()


@lru_cache(maxsize=1)
def _addresses() -> tuple[int, int]:
    process = ctypes.CDLL(None)
    found: list[int] = []
    for name in ("GOMP_parallel", "omp_in_parallel"):
        function = getattr(process, name, None)
        if function is None:
            return 0, 0
        found.append(ctypes.cast(function, ctypes.c_void_p).value or 0)
    return found[0], found[1]
