"""The machine: what figures hang on, and whether others are at work on it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from cellwright.backends.c.key import generator_digest
from cellwright.backends.c.levels import best_level
from cellwright.backends.c.toolchain import find_compiler

from .errors import BenchError

BUSY = 0.1
"""Others may take so much of each core."""
PROBE = 0.5
"""Seconds for which a machine is watched before it is measured on."""
PACKAGES = ("numpy", "torch", "onnxruntime", "jax")
CPU_TIMES = Path("/proc/stat")
IDLE = (3, 4)
"""The columns of /proc/stat in which a core does nothing: idle, and waiting for I/O."""


def machine() -> dict[str, Any]:
    """Return what figures hang on, and how busy the machine is."""
    compiler = find_compiler()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "level": best_level().name,
        "compiler": None if compiler is None else compiler.identity.splitlines()[0],
        "kernels": generator_digest()[:12],
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY"),
        "load": [round(load, 2) for load in os.getloadavg()],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    if package == "torch":
        return torch.__version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def watch() -> Callable[[], float]:
    """Begin to watch; the function that is returned says what others took since.

    Returns:
        A share of all cores, from 0 to 1. Where the system does not count the time of
        its cores, it is the load of the last minute.
    """
    cores = os.cpu_count() or 1
    if not CPU_TIMES.exists():
        return lambda: os.getloadavg()[0] / cores
    begin = time.perf_counter(), _all_work(), _own_work()

    def share() -> float:
        passed = time.perf_counter() - begin[0]
        others = _all_work() - begin[1] - (_own_work() - begin[2])
        return min(1.0, max(0.0, others / (max(passed, 1e-3) * cores)))

    return share


def _all_work() -> float:
    """Return the seconds that all cores have worked, since the machine began."""
    line = CPU_TIMES.read_text("ascii").partition("\n")[0]
    # Behind the eighth column, what guests took is counted once more.
    ticks = [int(column) for column in line.split()[1:9]]
    busy = sum(ticks) - sum(ticks[place] for place in IDLE)
    return busy / os.sysconf("SC_CLK_TCK")


def _own_work() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def others_at_work() -> float:
    """Return the share of all cores that others take, watched for a moment."""
    share = watch()
    time.sleep(PROBE)
    return share()


def require_idle() -> None:
    """Stop when others are at work: their threads make every figure a wrong one.

    Raises:
        BenchError: They take more than `BUSY` of each core.
    """
    busy = others_at_work()
    if busy > BUSY:
        raise BenchError(
            f"the machine is at work: others take {busy:.0%} of its cores, more than "
            f"{BUSY:.0%}\n  fix: try later, or say --anyway, which the record says too"
        )
