"""The key of a kernel: another one as soon as anything could differ."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from .levels import Level
from .sidecar import digest
from .toolchain import Compiler

ABI = "cellwright-c-1"
"""What ``cellwright_abi()`` of a library says: how its ``run`` is to be called."""
SOURCES = (".py", ".h", ".c")
"""The endings of the files that decide what a kernel's text is."""

_PACKAGE = Path(__file__).parents[2]
GENERATOR = tuple(
    _PACKAGE / place for place in ("ir", "language", "passes", "backends/c", "compiler")
)
"""The rooms that turn a cell's text into C."""


def kernel_key(parts: Sequence[str], level: Level, compiler: Compiler) -> str:
    """Return the key of a kernel.

    Args:
        parts: the texts that say which kernel it is, such as the cell's, the variant
            and the dtype.
        level: the instruction set it is built for.
        compiler: what builds it.
    """
    told = [
        list(parts),
        level.name,
        compiler.identity,
        ABI,
        generator_digest(),
        _host(),
    ]
    # JSON, because it keeps ("ab", "c") and ("a", "bc") apart.
    return digest(json.dumps(told).encode())


@cache
def generator_digest() -> str:
    """Return the digest of the sources that kernels are made by, taken once."""
    return digest_of(GENERATOR)


def digest_of(places: Iterable[Path]) -> str:
    """Return the digest of all sources below some folders, names included."""
    total = hashlib.sha256()
    for place in places:
        # By os.walk: rglob takes three times as long, at every process' first kernel.
        for folder, inner, names in os.walk(place):
            inner.sort()
            for name in sorted(names):
                path = Path(folder, name)
                # An editor may keep links to nowhere beside a file.
                if name.endswith(SOURCES) and path.is_file():
                    said = path.relative_to(place.parent).as_posix()
                    total.update(f"{said} {digest(path.read_bytes())}\n".encode())
    return total.hexdigest()


@cache
def _host() -> str:
    """Return what a library is bound to, where machines share one home."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        libc = None
    return f"{sys.platform} {platform.machine()} {libc or ''}"
