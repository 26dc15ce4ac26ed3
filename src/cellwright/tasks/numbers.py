"""Read the cells of a column as numbers; what holds none leaves a fault."""

from __future__ import annotations

import re

import numpy as np

from .csvfile import Table
from .errors import Fault

LARGEST = 1e30
"""Beyond it a float32 overflows once it is squared and summed (3.4e38)."""

NAMED = 8
"""How many columns a message names; the others are counted."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = {"", "na", "n/a", "null", "none", "-", "?", "."}
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def is_number(cell: str) -> bool:
    """Say whether a cell is a number as files write it, such as ``-1.5e3``."""
    return _NUMBER.fullmatch(cell) is not None


def column_numbers(table: Table, name: str, faults: list[Fault]) -> np.ndarray:
    """Return a column; cells that hold no number become 0 and leave a fault.

    A column with more text than numbers leaves one fault for all of its text.
    """
    place = table.header.index(name)
    values = np.zeros(len(table.rows))
    found = []
    whole = [i for i, row in enumerate(table.rows) if len(row) == len(table.header)]
    for i in whole:
        cell = table.rows[i][place]
        if is_number(cell) and abs(float(cell)) <= LARGEST:
            values[i] = float(cell)
        else:
            found.append((cell, cell_fault(cell, table.lines[i], name)))
    texts = [(cell, fault) for cell, fault in found if fault.rule == "text"]
    if len(texts) <= max(1, len(whole) - len(found)):
        faults += [fault for _, fault in found]
        return values
    faults.append(_text_fault(table, name, texts))
    # Who takes another column need not fill the gaps of this one.
    if _respelled(texts[0][0]):
        faults += [fault for _, fault in found if fault.rule != "text"]
    return values


def cell_fault(cell: str, line: int, name: str) -> Fault:
    """Return the fault of a cell that holds no number that can be used."""
    shown = _shown(cell)
    if cell.lower() in _MISSING:
        fix = "fill the gap, or cut the series there: a window may not jump over time"
        found = f"the mark {shown} for a missing value" if cell else "an empty cell"
        return Fault("gap", line, found, fix, name)
    if _NOT_FINITE.fullmatch(cell) or is_number(cell):
        fix = "replace it by the value that was meant, or cut the series there"
        return Fault("finite", line, shown, fix, name)
    fix = _respelled(cell) or "write a number, such as 12.5"
    return Fault("text", line, shown, fix, name)


def _respelled(cell: str) -> str:
    """Return how a number that is written otherwise is to be written, or nothing."""
    if re.fullmatch(r"[+-]?\d*,\d+", cell):
        return f"write the decimal point as a point: {cell.replace(',', '.')}"
    if re.fullmatch(r"[+-]?\d{1,3}([ ,'_]\d{3})+(\.\d+)?", cell):
        plain = re.sub("[ ,'_]", "", cell)
        return f"leave out the thousands' marks: {plain}"
    return ""


def _text_fault(table: Table, name: str, texts: list[tuple[str, Fault]]) -> Fault:
    """Return the one fault of a column that is mostly text."""
    first, fault = texts[0]
    others = len(texts) - 1
    cells = f"{others:,} other cell{'' if others == 1 else 's'}"
    found = (
        f"the column holds text: {_shown(first)} here, and in {cells} "
        f"of {len(table.rows):,} rows"
    )
    fix = _respelled(first)
    if not fix:
        numeric = [other for other in table.header if _is_numeric(table, other)]
        named = ", ".join(map(repr, numeric[:NAMED]))
        more = f" and {len(numeric) - NAMED:,} more" if len(numeric) > NAMED else ""
        fix = (
            f"choose a column that holds numbers: {named}{more}"
            if numeric
            else "write numbers, such as 12.5; no column of the file holds any"
        )
    return Fault("text", fault.line, found, fix, name)


def _is_numeric(table: Table, name: str) -> bool:
    """Say whether more than half of the rows have a number in this column."""
    place = table.header.index(name)
    cells = [row[place] for row in table.rows if len(row) == len(table.header)]
    return 2 * sum(map(is_number, cells)) > len(table.rows)


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "…")
