"""What a benchmark refuses."""

from __future__ import annotations

from cellwright.errors import CellwrightError, CellwrightValueError


class BenchError(CellwrightValueError):
    """Something that cannot be measured, or not now."""


class AbsentError(CellwrightError):
    """A peer that cannot be measured here, and why."""
