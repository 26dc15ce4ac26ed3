"""Write a file whole or not at all, and say what stopped it."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cellwright.whole_file import write_whole

from .errors import RunError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, its folders where they are not there yet.

    Raises:
        RunError: The content could not be written; nothing else has changed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise RunError(_reason(path, len(content), error)) from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all, see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON whole or not at all, see `write_bytes`."""
    write_text(path, to_json(content))


def to_json(content: Any) -> str:
    """Return the one text form that our JSON files have."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file of a result folder.

    Raises:
        RunError: It cannot be opened or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RunError(
            f"{path}: damaged; it is no JSON ({error})\n"
            "  fix: restore the file, or train again into another folder"
        ) from error


def require_keys(path: Path, content: Any, keys: Iterable[str]) -> None:
    """Make sure that what was read from a JSON file has these keys.

    Args:
        path: The file, for the message.
        content: What it holds.
        keys: With dots between the levels, such as ``data.columns``; a number is a
            place in a list.

    Raises:
        RunError: Names the file and the first key that is missing.
    """
    for key in keys:
        place = content
        names = key.split(".")
        for level, name in enumerate(names, 1):
            if isinstance(place, list) and name.isdigit() and int(name) < len(place):
                place = place[int(name)]
            elif isinstance(place, dict) and name in place:
                place = place[name]
            else:
                missing = ".".join(names[:level])
                raise RunError(
                    f"{path}: damaged; the key {missing!r} is missing\n"
                    "  fix: restore the file, or train again into another folder"
                )


def sha256(content: bytes) -> str:
    """Return the digest in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half written in a folder."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def _reason(path: Path, size: int, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{path}: the disk is full ({error.strerror}); {size:,} bytes are needed\n"
            f"  fix:   free some space under {path.parent}"
        )
    return f"{path}: cannot be written ({error.strerror or error})"
