"""The instruction sets that kernels are built for, and which of them run here.

A level is chosen by us, never by ``-march=native``: the kernel is as fast, and its key
says in one word which machines can run it.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import LevelError

VARIABLE = "CELLWRIGHT_LEVEL"
"""The environment variable that chooses a level."""


@dataclass(frozen=True, slots=True)
class Level:
    """An instruction set: how the compiler is told, and what a kernel may count on.

    `accumulators` is how many vector registers a register tile may fill; the others
    hold what is multiplied. `cpu_flags` are the processor's flags, as Linux writes
    them, without which the level does not run; its compiler flag is empty where the
    compiler's own baseline is meant.
    """

    name: str
    march_flag: str
    vector_bytes: int
    accumulators: int
    cpu_flags: frozenset[str]


# Linux calls lzcnt by AMD's name of the extension, abm.
_V3 = frozenset({"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"})
_V4 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})

LEVELS = (
    Level("x86-64-v4", "-march=x86-64-v4", 64, 24, _V3 | _V4),
    Level("x86-64-v3", "-march=x86-64-v3", 32, 12, _V3),
    Level("plain", "", 16, 12, frozenset()),
)
"""The fastest first."""


def runnable_levels() -> tuple[Level, ...]:
    """Return the levels that this machine runs, the fastest first."""
    flags = _cpu_flags()
    return tuple(level for level in LEVELS if level.cpu_flags <= flags)


def best_level() -> Level:
    """Return the level that kernels are built for.

    It is the fastest that runs here, or the one that CELLWRIGHT_LEVEL names.

    Raises:
        LevelError: CELLWRIGHT_LEVEL names no level, or one that does not run here.
    """
    return _level_of(os.environ.get(VARIABLE), _cpu_flags())


@cache
def _level_of(asked: str | None, _: frozenset[str]) -> Level:
    # A layer asks at every call.
    if not asked:
        return runnable_levels()[0]
    for level in LEVELS:
        if level.name == asked:
            _require_runnable(level)
            return level
    known = ", ".join(level.name for level in LEVELS)
    raise LevelError(
        f"{VARIABLE}={asked}: is no level\n  fix: take one of {known}, or unset it"
    )


def _require_runnable(level: Level) -> None:
    missing = sorted(level.cpu_flags - _cpu_flags())
    if missing:
        here = ", ".join(each.name for each in runnable_levels())
        raise LevelError(
            f"{VARIABLE}={level.name}: does not run on this machine, whose processor "
            f"does not report {', '.join(missing)}\n"
            f"  fix: take one that runs here ({here}), or unset {VARIABLE}"
        )


@cache
def _cpu_flags() -> frozenset[str]:
    """Return the processor's flags; none where we do not know how to ask."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    # A 32-bit Python on such a machine takes libraries of 32 bits.
    if sys.platform != "linux" or not x86 or sys.maxsize < 2**32:
        return frozenset()
    try:
        return read_cpu_flags(Path("/proc/cpuinfo"))
    except OSError:
        return frozenset()


def read_cpu_flags(path: Path) -> frozenset[str]:
    """Return the flags of the first processor that Linux lists in a file."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "flags":
                return frozenset(value.split())
    return frozenset()
