"""What is wrong with a measurement that was asked for."""

from __future__ import annotations

from cellwright.errors import CellwrightValueError


class MeasureError(CellwrightValueError):
    """Something that cannot be measured of this network and input."""
