"""Write a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_whole(path: Path, content: bytes) -> None:
    """Put content under a name so that a reader sees all of it or the former file.

    The bytes go to a temporary file in the same folder, which has to be there, and
    reach the disk before the name moves to them; so does the folder's entry.

    Args:
        path: the file.
        content: all of it.

    Raises:
        OSError: it could not be written; nothing else has changed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    # Made under the process' umask: asking for that would change it for a moment.
    try:
        handle = os.open(temporary, _NEW, 0o666)
    except OSError as error:
        # It is the file that somebody asked for which cannot be written.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journalled.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
