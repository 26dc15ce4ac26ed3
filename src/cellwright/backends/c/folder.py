"""Where kernels lie on the disk, and where they go if that cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .errors import BuildError, CacheWarning

VARIABLE = "CELLWRIGHT_CACHE_DIR"
"""The environment variable that chooses the folder."""
WORK = ".build-"
"""How the names of folders begin in which something is being built."""
ZIG = "zig"
"""The name of the folder in which zig keeps what it has built for itself."""


def main_folder() -> Path | None:
    """Return the folder that kernels belong in, made or not; None without a home."""
    try:
        if given := os.environ.get(VARIABLE):
            return Path(given).expanduser().absolute()
        # The XDG specification has relative paths ignored.
        shared = Path(os.environ.get("XDG_CACHE_HOME") or "")
        caches = shared if shared.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return caches / "cellwright"


def fallback_folder() -> Path:
    """Return the private folder below the system's temporary one, made or not."""
    owner = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"cellwright{owner}"


def obstacle(folder: Path) -> Path | None:
    """Return what stands where a folder would have to be and is none, if anything."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return None if there.is_dir() else there


def places() -> list[Path]:
    """Return the folders that may hold kernels of ours, the usual one first."""
    main, fallback = main_folder(), fallback_folder()
    found = [main] if main is not None and main.is_dir() else []
    return [*found, fallback] if is_private(fallback) else found


def is_private(folder: Path) -> bool:
    """Tell whether a folder is there, is ours, and is closed to everybody else.

    Libraries run with our rights when they are loaded, so what others can write into
    is no place to load them from.
    """
    try:
        # A link could be turned round later by whoever made it.
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def writable_folder() -> Path:
    """Make the folder that new kernels go to, and return it.

    Raises:
        BuildError: No folder can be written, or the disk is full.

    Warns:
        CacheWarning: It is the private one, because the usual one cannot be written.
    """
    main = main_folder()
    if main is None:
        reason = "there is no home folder to keep kernels in"
    else:
        try:
            _make_writable(main)
        except OSError as error:
            if is_full(error):
                raise disk_full(main) from error
            reason = f"{main}: cannot be written ({error.strerror or error})"
        else:
            return main
    fallback = _private_folder(reason)
    _warn_once(
        f"{reason}; kernels go to {fallback}, which the system may empty\n"
        f"  fix: set {VARIABLE} to a folder that you can write"
    )
    return fallback


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Make a folder of one's own inside another, and remove it afterwards.

    What was built in it is moved out by renaming, so it lies on the same disk.
    """
    with tempfile.TemporaryDirectory(
        prefix=WORK, dir=folder, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def is_full(error: OSError) -> bool:
    """Tell whether something was not written for want of room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(folder: Path) -> BuildError:
    """Return the error of a folder that has no room left, with what is free there."""
    if folder.name.startswith(WORK):
        folder = folder.parent
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    return BuildError(
        f"{folder}: the disk is full, or a quota is used up; {free:,} bytes are free\n"
        f"  fix: make room there, or set {VARIABLE} to a folder on another disk"
    )


def _make_writable(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Permissions do not tell: root passes them, and a disk can be mounted read-only.
    with tempfile.TemporaryFile(dir=folder):
        pass


def _private_folder(reason: str) -> Path:
    try:
        folder = fallback_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        if is_private(folder):
            _make_writable(folder)
            return folder
        found = "is not ours alone"
    except OSError as error:
        folder, found = error.filename, f"cannot be written ({error.strerror})"
    raise BuildError(
        f"no folder to build kernels in: {reason}; {folder}: {found}\n"
        f"  fix: set {VARIABLE} to a folder that you can write"
    )


@cache
def _warn_once(text: str) -> None:
    warnings.warn(text, CacheWarning, stacklevel=2)
