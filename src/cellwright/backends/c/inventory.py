"""What the cache holds, and how it is emptied."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .folder import WORK, ZIG, places
from .identity import COMPILERS
from .sidecar import KEY, Sidecar, read_sidecar, sidecar_path, source_path

KERNEL_FILE = re.compile(rf"({KEY.pattern})(?:-[0-9a-f]{{12}}\.so|\.c|\.json)")
"""The names of the files that a kernel consists of."""
ABANDONED = 3600.0
"""Seconds after which a build is taken for one that was killed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A kernel in a folder, and how many bytes its files take."""

    folder: Path
    sidecar: Sidecar
    bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed from a folder: how many kernels, and how many bytes in all."""

    folder: Path
    kernels: int
    bytes: int


def entries() -> list[Entry]:
    """Return the kernels of all folders, the latest first."""
    found = [entry for folder in places() for entry in _entries(folder)]
    return sorted(found, key=lambda entry: entry.sidecar.built, reverse=True)


def clear() -> list[Removed]:
    """Remove every kernel and what was made with it; files of others stay.

    A process that has loaded a kernel goes on with it.

    Returns:
        What was removed from each folder that may hold kernels.

    Raises:
        OSError: Something of ours cannot be removed.
    """
    return [_cleared(folder) for folder in places()]


def _cleared(folder: Path) -> Removed:
    keys: set[str] = set()
    size = 0
    # The sidecars first: no process finds a kernel that is half removed.
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix != ".json"):
        if not _is_ours(path):
            continue
        if match := KERNEL_FILE.fullmatch(path.name):
            keys.add(match[1])
        size += _remove(path)
    return Removed(folder, len(keys), size)


def _entries(folder: Path) -> Iterator[Entry]:
    for path in folder.glob("*.json"):
        if not KEY.fullmatch(path.stem):
            continue
        try:
            sidecar = read_sidecar(folder, path.stem)
            files = [folder / sidecar.library_name, sidecar_path(folder, path.stem)]
            size = sum(file.stat().st_size for file in files)
        except (OSError, ValueError):
            # Damaged, or just being removed: it is built anew when it is needed.
            continue
        source = source_path(folder, path.stem)
        yield Entry(folder, sidecar, size + _size(source))


def _is_ours(path: Path) -> bool:
    """Tell whether a path is a file or folder that only we write."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return path.name == ZIG or (
            path.name.startswith(WORK)
            and time.time() - path.stat().st_mtime > ABANDONED
        )
    return path.name == COMPILERS or KERNEL_FILE.fullmatch(path.name) is not None


def _remove(path: Path) -> int:
    """Remove a file or a folder, and return how many bytes it had."""
    if path.is_dir():
        size = sum(map(_size, path.rglob("*")))
        shutil.rmtree(path)
    else:
        size = _size(path)
        path.unlink(missing_ok=True)
    return size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
