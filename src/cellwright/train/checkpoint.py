"""Checkpoints: a pair of files that exists completely or not at all.

``000012.safetensors`` holds the tensors, ``000012.json`` the facts and both digests;
the number counts the saves, so no pair ever takes the place of another. The JSON is
written last and vouches for the pair. The pair before it stays until the next one is
complete: a damaged or unfinished checkpoint costs some steps, no run.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from .errors import CheckpointError, CheckpointWarning, RunError
from .files import sha256, write_bytes, write_text

FORMAT = 4
OURS = re.compile(r"(\d{6,})\.(json|safetensors)")
PART = re.compile(rf"\.{OURS.pattern}\.\w+\.part")
FACTS = b'"facts": '


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Args:
        folder: Made when the first checkpoint is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.former: str | None = None
        """Name of the newest good pair; it outlives the next write."""

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint, whole or damaged."""
        return any(path.suffix == ".json" for path in self._files())

    def save(self, tensors: Mapping[str, Tensor], facts: Any) -> None:
        """Write a pair, then remove all other pairs but the one before it.

        Args:
            tensors: By name; they may share memory.
            facts: What JSON can say; numbers may be infinite or NaN.

        Raises:
            CheckpointError: It was not written; the former pair is untouched.
        """
        newest = max((int(path.stem) for path in self._files()), default=0)
        name = f"{newest + 1:06d}"
        try:
            content = safetensors.torch.save(apart(tensors))
            write_bytes(self.folder / f"{name}.safetensors", content)
            write_text(self.folder / f"{name}.json", _seal(facts, sha256(content)))
        except RunError as error:
            raise self._not_written(error) from error
        for path in list(self._files()):
            if path.stem not in (name, self.former):
                path.unlink()
        self.former = name

    def load(self) -> tuple[dict[str, Tensor], Any] | None:
        """Read the newest good pair.

        Returns:
            Its tensors and facts, or None where no checkpoint was ever completed.

        Raises:
            CheckpointError: There are checkpoints, and every one is damaged.

        Warns:
            CheckpointWarning: A newer one is damaged; its fault and the one that is
                used instead are named.
        """
        for part in list(self._files(PART)):
            part.unlink(missing_ok=True)
        faults = []
        pairs = [path for path in self._files() if path.suffix == ".json"]
        for path in sorted(pairs, key=lambda p: int(p.stem), reverse=True):
            try:
                tensors, facts = _read(path)
            except CheckpointError as error:
                faults.append(str(error))
                continue
            self.former = path.stem
            if faults:
                warnings.warn(
                    f"{'; '.join(faults)}\n  used:  {path}, the checkpoint before",
                    CheckpointWarning,
                    stacklevel=2,
                )
            return tensors, facts
        if faults:
            raise CheckpointError(
                "no checkpoint of this run is whole\n  "
                + "\n  ".join(faults)
                + "\n  fix:   restore one of these pairs, or remove the folder "
                f"{self.folder} to train from the beginning"
            )
        return None

    def _files(self, names: re.Pattern[str] = OURS) -> Iterator[Path]:
        """Yield our own files; whatever else lies in the folder is somebody's."""
        for path in self.folder.glob("*"):
            if names.fullmatch(path.name) and path.is_file():
                yield path

    def _not_written(self, error: RunError) -> CheckpointError:
        left = "no checkpoint yet"
        if self.former is not None:
            left = f"{self.folder / self.former}.json, which is whole"
        return CheckpointError(
            f"the checkpoint was not written: {error}\n"
            f"  left:  {left}\n"
            "  then:  resume=True (--resume) goes on from what is left"
        )


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors of which no two share memory, as tied weights do."""
    found: dict[str, Tensor] = {}
    taken = set[int]()
    for name, value in tensors.items():
        own = value.detach().contiguous()
        if own.untyped_storage().data_ptr() in taken:
            own = own.clone()
        taken.add(own.untyped_storage().data_ptr())
        found[name] = own
    return found


def _seal(facts: Any, digest: str) -> str:
    text = json.dumps(facts, indent=2)
    head = {"format": FORMAT, "tensors": digest, "facts_sha256": sha256(text.encode())}
    return f"{json.dumps(head)[:-1]},\n{FACTS.decode()}{text}}}\n"


def _read(path: Path) -> tuple[dict[str, Tensor], Any]:
    partner = path.with_suffix(".safetensors")
    try:
        raw = path.read_bytes()
        sealed = json.loads(raw)
        form = sealed["format"]
        facts, digest, seal = sealed["facts"], sealed["tensors"], sealed["facts_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged; it is no sealed JSON") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if form != FORMAT:
        raise CheckpointError(f"{path}: format {form}; this version reads {FORMAT}")
    # Of the text as it stands: what is read need not be written the same way again.
    if sha256(raw.partition(FACTS)[2].removesuffix(b"}\n")) != seal:
        raise CheckpointError(f"{path}: damaged; its digest does not fit its facts")
    try:
        content = partner.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{partner}: {error.strerror}") from error
    if sha256(content) != digest:
        raise CheckpointError(
            f"{partner}: damaged; {len(content):,} bytes whose digest is not the one "
            f"in {path.name}"
        )
    return safetensors.torch.load(content), facts
