"""Faults of a data file: where, which rule, what was found, the likely fix.

Every fault of a file is collected before anything is raised, so one run shows all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cellwright.errors import CellwrightError, CellwrightValueError

SHOWN = 20
"""How many faults a message spells out; the others are counted."""

RULES = {
    "encoding": "a data file is UTF-8 text",
    "empty": "a data file has a header row and then one row for each time step",
    "header": "the first row names the columns",
    "quotes": "a quoted cell ends with its quote",
    "duplicate": "every column has a name of its own",
    "column": "the target and the inputs are columns of the file, each named once",
    "ragged": "every row has as many cells as the header",
    "gap": "every cell of a used column holds a number",
    "text": "every cell of a used column holds a number",
    "finite": "every number is finite and within ±1e30",
    "constant": "a used column varies over the training block",
    "scale": "the standard deviation over the training block is at least 1e-30",
    "order": "rows stand in the order of time, oldest first",
    "rows": "the file has enough rows for the history, the horizon and the split",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``line`` counts from 1 with the header; 0 means the whole file."""

    rule: str
    line: int
    found: str
    fix: str
    column: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data; what the message calls the fault is its code."""
        return {
            "line": self.line,
            "column": self.column,
            "code": self.rule,
            "rule": RULES[self.rule],
            "found": self.found,
            "fix": self.fix,
        }

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the whole file"
        if self.column:
            where += f", column {self.column!r}"
        return (
            f"  {where}: {self.rule}\n"
            f"    rule:  {RULES[self.rule]}\n"
            f"    found: {self.found}\n"
            f"    fix:   {self.fix}"
        )


class DataError(CellwrightValueError):
    """A data file that cannot be used; ``faults`` holds every fault that was found."""

    def __init__(self, file: str, faults: Sequence[Fault]):
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        count = len(self.faults)
        lines = [f"{file}: {count} fault{'s' if count > 1 else ''}"]
        lines += [str(fault) for fault in self.faults[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  and {count - SHOWN} more faults of this file")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[DataError], tuple[str, tuple[Fault, ...]]]:
        return DataError, (self.file, self.faults)

    def to_json(self) -> dict[str, Any]:
        """Return the message and all faults, those too that it only counts."""
        faults = [{"file": self.file, **fault.to_json()} for fault in self.faults]
        return {"error": str(self), "faults": faults}


class DataFileError(CellwrightError, OSError):
    """A data file that cannot be opened."""


class TaskError(CellwrightValueError):
    """A request that does not fit the series or the task: a season, a lag, a length."""


class StepWarning(UserWarning):
    """A series whose times do not stand in even steps: gaps, or a label twice."""
