"""Build each kernel once, keep it on the disk, and load it from there.

A process asks its own table first, then the disk; only when neither has the kernel is
its C text generated and compiled. A damaged library would end the process that loads
it, so its SHA-256 is compared before.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from threading import Lock

from . import toolchain
from .errors import BuildError
from .folder import VARIABLE, disk_full, is_full, places, work_folder, writable_folder
from .key import ABI, kernel_key
from .levels import Level
from .sidecar import (
    Description,
    Sidecar,
    digest,
    read_sidecar,
    sidecar_path,
    source_path,
)
from .toolchain import Compiler

ROUNDS = 2
"""How often we look and build: somebody may clear the folder just after a build."""

_loaded: dict[str, ctypes.CDLL] = {}
_locks: dict[str, Lock] = {}
_guard = Lock()


class _Miss(Exception):  # noqa: N818  # no fault: the kernel is built then
    """A folder holds no kernel that can be loaded, and why."""


def load(
    parts: Sequence[str],
    describe: Description,
    source: Callable[[], str],
    level: Level,
    compiler: Compiler,
) -> ctypes.CDLL:
    """Return the library of a kernel, built if nobody has built it yet.

    Args:
        parts: the texts that say which kernel it is.
        describe: what it is, for people.
        source: returns the C text; called only if the kernel has to be built.
        level: the instruction set it is built for.
        compiler: what builds it.

    Raises:
        BuildError: It could not be built, kept or loaded; nothing is left half done.

    Warns:
        CacheWarning: It is kept in another folder than the usual one.
    """
    key = kernel_key(parts, level, compiler)
    library = _loaded.get(key)
    if library is not None:
        return library
    with _guard:
        lock = _locks.setdefault(key, Lock())
    with lock:
        if key not in _loaded:
            build = partial(_build, key, describe, source, level, compiler)
            _loaded[key] = _obtain(key, build)
        return _loaded[key]


def library_of(
    parts: Sequence[str], describe: Description, source: Callable[[], str], level: Level
) -> ctypes.CDLL:
    """Return a library as `load` does, of the compiler that there is.

    Raises:
        BuildError: There is none, or `load` raises it.
    """
    compiler = toolchain.find_compiler()
    if compiler is None:
        raise BuildError("there is no C compiler")
    return load(parts, describe, source, level, compiler)


def is_kept(parts: Sequence[str], level: Level, compiler: Compiler) -> bool:
    """Return whether a kernel was built before, by anybody; it may be damaged.

    Args:
        parts: as for `load`, like the rest.
        level: likewise.
        compiler: likewise.
    """
    key = kernel_key(parts, level, compiler)
    return key in _loaded or any(sidecar_path(at, key).exists() for at in places())


def _obtain(key: str, build: Callable[[], Path]) -> ctypes.CDLL:
    for turn in range(ROUNDS):
        for folder in places():
            with suppress(_Miss):
                return _open(folder, key)
        folder = build()
        try:
            return _open(folder, key)
        except _Miss as miss:
            if turn == ROUNDS - 1:
                raise BuildError(
                    f"{folder}: the kernel that was just built there cannot be "
                    f"loaded: {miss}\n  fix: if programs may not run from that "
                    f"folder (noexec), set {VARIABLE} to one where they may"
                ) from miss
    raise AssertionError("the last round returns or raises")


def _open(folder: Path, key: str) -> ctypes.CDLL:
    """Load a kernel from a folder, if it is there and sound."""
    try:
        sidecar = read_sidecar(folder, key)
        path = folder / sidecar.library_name
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise _Miss(str(error)) from error
    if digest(content) != sidecar.sha256:
        # Nobody can use it; what is built in its place may get another name.
        with suppress(OSError):
            path.unlink()
        raise _Miss(f"{path}: is damaged")
    try:
        library = ctypes.CDLL(str(path))
        says = library.cellwright_abi
    except (OSError, AttributeError) as error:
        raise _Miss(str(error)) from error
    says.restype = ctypes.c_char_p
    found = says()
    if found != ABI.encode():
        raise _Miss(f"{path}: its cellwright_abi() says {found!r}, not {ABI!r}")
    return library


def _build(
    key: str,
    describe: Description,
    source: Callable[[], str],
    level: Level,
    compiler: Compiler,
) -> Path:
    """Build a kernel, publish it, and return the folder that holds it now."""
    text = source()
    folder = writable_folder()
    try:
        with work_folder(folder) as work:
            written = work / "kernel.c"
            written.write_text(text, encoding="utf-8", newline="\n")
            built = work / "kernel.so"
            begin = time.perf_counter()
            toolchain.compile(written, built, compiler, level)
            sidecar = Sidecar(
                key=key,
                sha256=digest(built.read_bytes()),
                **asdict(describe),
                level=level.name,
                compiler=compiler.identity,
                built=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                build_seconds=round(time.perf_counter() - begin, 3),
            )
            beside = work / "kernel.json"
            beside.write_text(sidecar.to_json(), encoding="utf-8")
            # The sidecar comes last: it is what readers look for.
            built.replace(folder / sidecar.library_name)
            written.replace(source_path(folder, key))
            beside.replace(sidecar_path(folder, key))
    except OSError as error:
        if is_full(error):
            raise disk_full(folder) from error
        raise BuildError(f"{folder}: a kernel cannot be kept ({error})") from error
    return folder


def _after_fork() -> None:
    """Give a child process locks that no thread of its parent holds."""
    global _guard  # noqa: PLW0603  # a lock cannot be made free by another thread
    _guard = Lock()
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
