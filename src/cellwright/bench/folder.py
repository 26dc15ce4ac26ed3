"""The folder of a benchmark: its numbers, its page and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellwright.train.files import write_bytes, write_json, write_text

from .plots import pictures
from .report import report

RESULTS, PAGE = "results.json", "results.md"


def write(results: dict[str, Any], folder: Path) -> list[str]:
    """Write results whole, and return the names of the files.

    Args:
        results: of `run.bench`.
        folder: where to; files of an earlier run are replaced.
    """
    drawn = pictures(results["rows"])
    for name, content in drawn.items():
        write_bytes(folder / name, content)
    write_json(folder / RESULTS, results)
    write_text(folder / PAGE, report(results, drawn))
    return [RESULTS, PAGE, *drawn]
