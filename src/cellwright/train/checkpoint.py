"""Checkpoints: a pair of files that exists completely or not at all.

``000120.safetensors`` holds the tensors, ``000120.json`` the facts and both digests.
The JSON is written last, so it vouches for the pair. The pair before it stays until
the next one is complete: a damaged or unfinished checkpoint costs some steps, no run.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from .errors import CheckpointError, CheckpointWarning, RunError
from .files import remove_parts, sha256, to_json, write_bytes, write_text

FORMAT = 2


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Args:
        folder: Made when the first checkpoint is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.former: str | None = None
        """Name of the newest good pair; it outlives the next write."""

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Any) -> None:
        """Write a pair, then remove all but it and the one before it.

        Raises:
            CheckpointError: It was not written; the former pair is untouched.
        """
        name = f"{step:06d}"
        owned = {key: value.detach().contiguous() for key, value in tensors.items()}
        try:
            content = safetensors.torch.save(owned)
            write_bytes(self.folder / f"{name}.safetensors", content)
            write_text(self.folder / f"{name}.json", _seal(facts, sha256(content)))
        except RunError as error:
            raise self._not_written(error) from error
        for path in self.folder.iterdir():
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
        remove_parts(self.folder)
        faults = []
        # By length first: step 1000000 comes after step 999999.
        pairs = self.folder.glob("*.json")
        newest_first = sorted(pairs, key=lambda p: (len(p.stem), p.stem))[::-1]
        for path in newest_first:
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

    def _not_written(self, error: RunError) -> CheckpointError:
        left = "no checkpoint yet"
        if self.former is not None:
            left = f"{self.folder / self.former}.json, which is whole"
        return CheckpointError(
            f"the checkpoint was not written: {error}\n"
            f"  left:  {left}\n"
            "  then:  resume=True (--resume) goes on from what is left"
        )


def _seal(facts: Any, digest: str) -> str:
    return to_json(
        {
            "format": FORMAT,
            "tensors": digest,
            "facts_sha256": sha256(_canonical(facts)),
            "facts": facts,
        }
    )


def _canonical(facts: Any) -> bytes:
    return json.dumps(facts, sort_keys=True).encode()


def _read(path: Path) -> tuple[dict[str, Tensor], Any]:
    partner = path.with_suffix(".safetensors")
    try:
        sealed = json.loads(path.read_bytes())
        facts, digest, form = sealed["facts"], sealed["tensors"], sealed["format"]
        whole = sealed["facts_sha256"] == sha256(_canonical(facts))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged; it is no sealed JSON") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if form != FORMAT:
        raise CheckpointError(f"{path}: format {form}; this version reads {FORMAT}")
    if not whole:
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
