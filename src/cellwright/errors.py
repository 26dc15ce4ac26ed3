"""The root of every error that cellwright raises on purpose.

Each class below also inherits the builtin that a caller would expect, so
``except ValueError`` keeps working. Rooms define their own errors from these.
"""

from __future__ import annotations

from typing import Any


class CellwrightError(Exception):
    """Anything that cellwright refuses, with the reason and the likely fix."""

    def to_json(self) -> dict[str, Any]:
        """Return the message and, where a file was judged, its faults one by one."""
        return {"error": str(self), "faults": []}


class CellwrightValueError(CellwrightError, ValueError):
    """A value or a size that does not fit."""


class CellwrightTypeError(CellwrightError, TypeError):
    """An argument of the wrong kind."""
