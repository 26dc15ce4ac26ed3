"""The vector functions of the c backend, compiled and callable on NumPy arrays."""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cellwright.backends.c

HEADERS = Path(cellwright.backends.c.__file__).parent
PROGRAMS = Path(__file__).parent / "backends" / "c"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
KERNEL_FLAGS = ("-O2", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a program is compiled for: a dtype, a processor level and its vectors."""

    dtype: str
    level: str
    vector_bytes: int

    @property
    def flags(self) -> tuple[str, ...]:
        """The compiler's arguments for this target."""
        march = (f"-march={self.level}",) if self.level != "plain" else ()
        double = int(self.dtype == "float64")
        return (f"-DCW_DOUBLE={double}", f"-DCW_BYTES={self.vector_bytes}", *march)


def targets() -> list[Target]:
    """List both dtypes at each level that this processor runs."""
    levels = {"plain": 16}
    if platform.machine() in ("x86_64", "AMD64"):
        wide = {"x86-64-v4": 64, "x86-64-v3": 32}
        capability = torch.backends.cpu.get_cpu_capability()
        first = {"AVX512": 0, "AVX2": 1}.get(capability, 2)
        levels = dict([*wide.items(), ("x86-64", 16)][first:])
    return [
        Target(dtype, level, vector_bytes)
        for level, vector_bytes in levels.items()
        for dtype in ("float32", "float64")
    ]


@cache
def compiler() -> list[str]:
    """Find the system's C compiler; a test that needs one fails without."""
    given = shlex.split(os.environ.get("CC", ""))
    for command in (given, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    pytest.fail("no C compiler: set CC, or install cc, gcc or clang")


def build(source: str, output: Path, flags: tuple[str, ...]) -> None:
    """Compile one of the programs beside the tests, without a warning."""
    command = [*compiler(), "-std=gnu11", *WARNINGS, *flags, f"-I{HEADERS}"]
    done = subprocess.run(
        [*command, str(PROGRAMS / source), "-o", str(output), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"


def pointer(array: Array) -> ctypes.c_void_p:
    """Return the address of an array's first entry."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


class Library:
    """functions.c, compiled for one target."""

    def __init__(self, target: Target, folder: Path) -> None:
        path = folder / f"{target.dtype}-{target.level}.so"
        build("functions.c", path, (*KERNEL_FLAGS, *target.flags, "-shared", "-fPIC"))
        self.target = target
        self.dtype = np.dtype(target.dtype)
        self.integer = np.dtype(f"int{8 * self.dtype.itemsize}")
        self.c = ctypes.CDLL(str(path))
        self.lanes = ctypes.c_int.in_dll(self.c, "lanes_of_a_vector").value
        count = ctypes.c_int.in_dll(self.c, "power_count").value
        self.powers = list((ctypes.c_double * count).in_dll(self.c, "powers"))

    def unary(self, name: str, a: Array) -> Array:
        """Return a function of each entry."""
        return self.binary(name, a, a)

    def binary(self, name: str, a: Array, b: Array) -> Array:
        """Return a function of each pair of entries."""
        assert a.dtype == b.dtype == self.dtype
        assert a.shape == b.shape
        out = np.empty_like(a)
        count = ctypes.c_long(a.size)
        self.c[f"run_{name}"](pointer(a), pointer(b), pointer(out), count)
        return out

    def power(self, a: Array, n: float) -> Array:
        """Return each entry to the power of one of `powers`."""
        out = np.empty_like(a)
        count = ctypes.c_long(a.size)
        self.c.run_power(ctypes.c_double(n), pointer(a), pointer(out), count)
        return out

    def number(self, name: str, *args: Any) -> float:
        """Return what a function of the library returns, a number of its dtype."""
        function = self.c[name]
        function.restype = (
            ctypes.c_float if self.dtype == np.float32 else ctypes.c_double
        )
        return float(function(*args))
