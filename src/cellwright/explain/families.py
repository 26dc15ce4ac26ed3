"""Cells by family, for lists and pages."""

from __future__ import annotations

from collections.abc import Iterable

from cellwright.language.cell import Cell

NO_FAMILY = "no family"
"""The heading of cells that name none; they stand last."""


def by_family(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Return cells under the names of their families.

    Args:
        cells: any cells.

    Returns:
        Families in the order of their oldest papers, the cells of each in the order in
        which they were given.

    Example:
        >>> import cellwright as cw
        >>> found = by_family(map(cw.cells.load, ["gru", "lstm", "cifg"]))
        >>> {family: [cell.name for cell in cells] for family, cells in found.items()}
        {'LSTM': ['lstm', 'cifg'], 'GRU': ['gru']}
    """
    families: dict[str, list[Cell]] = {}
    for cell in cells:
        families.setdefault(cell.family, []).append(cell)
    ordered = sorted(families.items(), key=lambda row: (not row[0], _oldest(row[1])))
    return {name or NO_FAMILY: cells for name, cells in ordered}


def _oldest(cells: Iterable[Cell]) -> float:
    years = [cell.year for cell in cells if cell.year is not None]
    return min(years, default=float("inf"))
