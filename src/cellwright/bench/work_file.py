"""The rows that were measured, kept as they come, so that a run can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
CHANGES = ("date", "load", "others", "anyway")
"""What a machine's record says of one moment: it may differ when a run goes on."""


class WorkFile:
    """A file of rows, one a line, behind the record of the run that began it.

    Args:
        folder: where it lies.
        record: of this run. A file with other settings, on another machine or by other
            versions has another name, so that their rows are never mixed.

    Attributes:
        record: of the run that began the file.
        rows: what is measured already.
    """

    def __init__(self, folder: Path, record: Mapping[str, Any]):
        fixed = {key: record[key] for key in sorted(record) if key not in CHANGES}
        text = json.dumps(fixed, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.path = folder / f".rows-{name}.jsonl"
        self.record: Mapping[str, Any] = record
        self.rows: list[Row] = []
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._read()
        else:
            self._write(record)

    def add(self, row: Row) -> None:
        """Keep a row."""
        self.rows.append(row)
        self._write(row)

    def row(self, key: list[Any]) -> Row | None:
        """Return the row of a setting, if it is measured already."""
        return next((row for row in self.rows if key_of(row) == key), None)

    def remove(self) -> None:
        """Remove the file: what it held stands in the results."""
        self.path.unlink()

    def _write(self, data: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data, ensure_ascii=False) + "\n")

    def _read(self) -> None:
        lines = self.path.read_text("utf-8").split("\n")
        # Behind the last line break there is nothing, or a line that was cut off.
        *whole, rest = lines
        self.record, *self.rows = [json.loads(line) for line in whole]
        if rest:
            text = "".join(f"{line}\n" for line in whole)
            self.path.write_text(text, encoding="utf-8")


def key_of(row: Mapping[str, Any]) -> list[Any]:
    """Return what tells a row from all others."""
    return [row[name] for name in ("case", "what", "B", "T", "I", "H")]
