"""A series: the target and its inputs as numbers, read from a CSV with all its faults.

Look next at `cellwright.tasks.windows` for what a series needs in order to be split.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import numpy as np

from .csvfile import Table, read_table
from .errors import DataError, Fault
from .numbers import LARGEST, cell_fault, column_numbers, is_number
from .order import order_faults, warn_of_steps
from .windows import Plan

SMALLEST = 1 / LARGEST
"""Of a standard deviation. A float64 that is squared is gone from 1e-162 down, and
digits are lost from 1e-154 down (2.2e-308); whoever is so small has other units."""

SAME = 1e-12
"""Relative. The rounding of a float64 is 1e-16; numbers that differ by less than a few
thousand of it differ by how they were computed, such as 0.1 + 0.2 and 0.3."""


@dataclass(frozen=True)
class Series:
    """One series, oldest value first.

    Attributes:
        name: What plots and tables call it.
        columns: The target's name, then those of the inputs.
        values: The numbers, ``[N, len(columns)]`` in float64.
        times: A label for each row, or nothing.
        file: Where it was read.
        sha256: The digest of that file.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray
    times: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def target(self) -> np.ndarray:
        """The values to forecast, ``[N]``."""
        return self.values[:, 0]


def read_series(
    path: str | Path,
    column: str | None = None,
    inputs: Sequence[str] = (),
    *,
    plan: Plan | None = None,
    rows: int = 1,
) -> Series:
    """Read a target column, and further input columns, of a CSV file.

    Every row is one step. Where the labels are months, days or whole numbers, rows that
    go back in time are a fault, and steps that differ from the usual one a warning
    (business days are as they should be); see `cellwright.tasks.order`.

    Args:
        path: The file: UTF-8, a header row, one row for each time step, oldest first.
        column: The target. May be left out if only one column holds numbers.
        inputs: Columns that the forecaster sees beside the target's own history.
        plan: If given, check that the series can be split and trained on.
        rows: The least number of rows, where there is no plan.

    Returns:
        The series. The first column that is not used labels the rows.

    Raises:
        DataFileError: The file cannot be opened.
        DataError: The file breaks rules; all its faults are named at once.

    Warns:
        StepWarning: The times do not stand in even steps.
    """
    table = read_table(path)
    faults = _header_faults(table)
    if column is None and not faults:
        column = _only_column(table, faults, inputs)
    chosen = () if column is None else (column, *inputs)
    faults += _column_faults(table, chosen)
    faults += _ragged(table)
    label, times, lines = _labels(table, chosen)
    faults += order_faults(label, times, lines)
    known = [name for name in dict.fromkeys(chosen) if name in table.header]
    numbers = {name: column_numbers(table, name, faults) for name in known}
    faults += _few(table, plan, rows)
    if plan is not None:
        spoilt = {fault.column for fault in faults}
        sound = {name: numbers[name] for name in known if name not in spoilt}
        faults += _constant(len(table.rows), sound, plan)
    if faults:
        raise DataError(table.file, faults)
    warn_of_steps(table.file, label, times, lines)
    values = np.stack([numbers[name] for name in chosen], axis=1)
    name = Path(path).stem
    return Series(name, chosen, values, times, table.file, table.sha256)


def check_series(series: Series, plan: Plan) -> None:
    """Check a series that came from no file, by the rules that files have.

    Raises:
        DataError: It is too short, constant, goes back in time, or has a number that
            is not finite.

    Warns:
        StepWarning: The times do not stand in even steps.
    """
    values = series.values
    if values.ndim != 2 or values.shape[1] != len(series.columns):
        found = f"values of shape {list(values.shape)}"
        fix = f"values [N, I={len(series.columns)}] for {', '.join(series.columns)}"
        raise DataError(series.name, [Fault("ragged", 0, found, fix)])
    faults = []
    if len(series) < plan.least_rows():
        faults.append(_too_few(len(series), plan))
    for place, name in enumerate(series.columns):
        column = values[:, place]
        faults += [
            cell_fault(str(column[row]), int(row) + 1, name)
            for row in np.flatnonzero(~(np.abs(column) <= LARGEST))
        ]
    if not faults:
        numbers = dict(zip(series.columns, values.T, strict=True))
        faults += _constant(len(series), numbers, plan)
    # What came from a file was judged there, with the file's own lines.
    times = () if series.file else series.times
    rows = range(1, len(times) + 1)
    faults += order_faults("times", times, rows)
    if faults:
        raise DataError(series.name, faults)
    warn_of_steps(series.name, "times", times, rows)


def _too_few(have: int, plan: Plan) -> Fault:
    found = f"{have} rows; {plan} needs {plan.least_rows()}"
    fix = "give a longer series, or a smaller history or horizon"
    return Fault("rows", 0, found, fix)


def _header_faults(table: Table) -> list[Fault]:
    header = table.header
    faults = []
    if all(is_number(cell) for cell in header):
        found = f"only numbers: {', '.join(header[:4])}"
        fix = "put a line with the columns' names first, such as: month,value"
        faults.append(Fault("header", 1, found, fix))
    for name in dict.fromkeys(header):
        places = [str(i + 1) for i, other in enumerate(header) if other == name]
        if len(places) > 1:
            found = f"the name {name!r} in columns {' and '.join(places)}"
            faults.append(Fault("duplicate", 1, found, "rename one of them", name))
    return faults


def _only_column(
    table: Table, faults: list[Fault], inputs: Sequence[str]
) -> str | None:
    first = table.rows[0] if table.rows else ()
    numbers = [
        name for name, cell in zip(table.header, first, strict=False) if is_number(cell)
    ]
    numeric = [name for name in numbers if name not in inputs]
    if len(numeric) == 1:
        return numeric[0]
    if numbers and not numeric:
        named = ", ".join(map(repr, numbers))
        found = f"no target was named; every column with numbers is an input: {named}"
        fix = (
            f"name the target, column={numbers[0]!r} (--column {quote(numbers[0])}), "
            "and leave it out of the inputs: its own history is always seen"
        )
        faults.append(Fault("column", 1, found, fix))
        return None
    example = (numeric or ["y"])[0]
    found = f"no target was named, and the columns are {', '.join(table.header)}"
    fix = (
        f"name the one to forecast, such as column={example!r} "
        f"(--column {quote(example)})"
    )
    faults.append(Fault("column", 1, found, fix))
    return None


def _column_faults(table: Table, chosen: Sequence[str]) -> list[Fault]:
    faults = []
    for place, name in enumerate(chosen):
        role = "the target" if place == 0 else "an input"
        if name not in table.header:
            near = difflib.get_close_matches(name, table.header, 1) or [
                other for other in table.header if other.lower() == name.lower()
            ]
            fix = f"did you mean {near[0]!r}? " if near else ""
            fix += f"The columns are {', '.join(map(repr, table.header))}."
            found = f"{name!r} as {role}; there is no such column"
            faults.append(Fault("column", 1, found, fix, name))
        elif name in chosen[:place]:
            found = f"{name!r} a second time, as {role}"
            fix = "name it once; the target's own history is always an input"
            faults.append(Fault("column", 1, found, fix, name))
    return faults


def _ragged(table: Table) -> list[Fault]:
    width = len(table.header)
    faults = []
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) == width:
            continue
        cells = f"{len(row)} cell{'s' if len(row) != 1 else ''}"
        found = f"{cells}, where the header has {width}" if row else "an empty line"
        fix = "fill or remove the row; check the cells for a stray or lost delimiter"
        faults.append(Fault("ragged", line, found, fix))
    return faults


def _few(table: Table, plan: Plan | None, rows: int) -> list[Fault]:
    have = len(table.rows)
    if plan is not None and have < plan.least_rows():
        return [_too_few(have, plan)]
    if plan is None and have < rows:
        found = f"{have} rows; the history is {rows}"
        return [Fault("rows", 0, found, "give at least as many rows as the history")]
    return []


def _constant(rows: int, numbers: dict[str, np.ndarray], plan: Plan) -> list[Fault]:
    stop = plan.split(rows).train.stop
    faults = []
    for name, values in numbers.items():
        block = values[:stop]
        if stop > 1 and math.isclose(block.min(), block.max(), rel_tol=SAME):
            found = f"{block[0]:g} in all of the first {stop} rows"
            fix = "choose a column that varies; a constant says nothing"
            faults.append(Fault("constant", 0, found, fix, name))
        elif stop > 1:
            faults += scale_faults(name, float(block.std()))
    return faults


def scale_faults(column: str, std: float) -> list[Fault]:
    """Return the fault of a standard deviation that nothing can be divided by."""
    if SMALLEST <= std < math.inf:
        return []
    found = f"a standard deviation of {std:g}"
    fix = "give the column in other units: multiply or divide it by a power of ten"
    return [Fault("scale", 0, found, fix, column)]


def _labels(
    table: Table, chosen: Sequence[str]
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """Return the name, cells and lines of the first column that nobody chose.

    Ragged rows are left out: which of their cells is the label is not known.
    """
    free = [place for place, name in enumerate(table.header) if name not in chosen]
    if not free:
        return "", (), ()
    whole = [i for i, row in enumerate(table.rows) if len(row) == len(table.header)]
    times = tuple(table.rows[i][free[0]] for i in whole)
    return table.header[free[0]], times, tuple(table.lines[i] for i in whole)
