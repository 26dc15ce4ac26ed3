"""What lies beside each kernel: its digest, and what it is in words."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

KEY = re.compile(r"[0-9a-f]{64}")
"""The form of a kernel's key."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a kernel is, for people: the cell, the variant of it, the dtype."""

    cell: str
    variant: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A kernel on the disk: `built` is a time of ISO 8601, in UTC."""

    key: str
    sha256: str
    cell: str
    variant: str
    dtype: str
    level: str
    compiler: str
    built: str
    build_seconds: float

    @property
    def library_name(self) -> str:
        """Return the name of the library's file.

        It follows from the content. So two processes that build one kernel at once
        write two files where their bytes differ, and replacing the sidecar, which says
        whose is taken, publishes a library and its digest in one step.
        """
        return f"{self.key}-{self.sha256[:12]}.so"

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def sidecar_path(folder: Path, key: str) -> Path:
    """Return where the sidecar of a kernel lies."""
    return folder / f"{key}.json"


def source_path(folder: Path, key: str) -> Path:
    """Return where the C source of a kernel lies."""
    return folder / f"{key}.c"


def read_sidecar(folder: Path, key: str) -> Sidecar:
    """Read what lies beside a kernel.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is no sidecar, or that of another kernel.
    """
    path = sidecar_path(folder, key)
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("key") != key:
        raise ValueError(f"{path}: is no sidecar of this kernel")
    return Sidecar(
        **{field.name: _checked(path, content, field.name) for field in _ALL}
    )


_ALL = fields(Sidecar)


def _checked(path: Path, content: dict[str, Any], name: str) -> Any:
    value = content.get(name)
    kinds = (int, float) if name == "build_seconds" else str
    if not isinstance(value, kinds):
        raise ValueError(f"{path}: {name} is {value!r}")
    # The digest becomes part of a file's name: nothing but a digest may.
    if name == "sha256" and not KEY.fullmatch(str(value)):
        raise ValueError(f"{path}: {name} is {value!r}")
    if name == "built":
        datetime.fromisoformat(str(value))
    return value


def digest(content: bytes) -> str:
    """Return the SHA-256 of something, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
