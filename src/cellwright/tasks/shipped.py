"""The monthly sunspot numbers of 1749 to 1983, shipped with the package."""

from __future__ import annotations

from importlib import resources

from .series import Series, read_series
from .windows import Plan

SUNSPOTS_COLUMN = "sunspots"


def sunspots(plan: Plan | None = None) -> Series:
    """Return 2,820 monthly mean relative sunspot numbers.

    Args:
        plan: If given, check that the series is long enough for it.

    Example:
        >>> series = sunspots()
        >>> len(series), series.times[0], series.target[:3].tolist()
        (2820, '1749-01', [58.0, 62.6, 70.0])
    """
    shipped = resources.files("cellwright.tasks") / "data" / "sunspots.csv"
    with resources.as_file(shipped) as path:
        return read_series(path, SUNSPOTS_COLUMN, plan=plan)
