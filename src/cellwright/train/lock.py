"""One process at a time trains into a folder.

The lock belongs to the open file, so the system gives it back however the process
ends, by kill -9 too; the file itself stays. Windows has no such lock, and there nothing
keeps two processes apart.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LockWarning, RunError

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made if need be, while the block runs.

    Raises:
        RunError: Another process holds it, or it cannot be written.

    Warns:
        LockWarning: Its file system has no locks, and the block runs without one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written ({error.strerror or error})"
        ) from error
    try:
        _lock(folder, handle)
        yield
    finally:
        os.close(handle)


def _lock(folder: Path, handle: int) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunError(
            f"{folder}: is in use; another process is training into it\n"
            "  fix: wait for it or stop it, or choose another folder with out= (--out)"
        ) from error
    except OSError as error:
        warnings.warn(
            f"{folder}: cannot be locked ({error.strerror}); let no other process "
            "train into it",
            LockWarning,
            stacklevel=5,
        )
