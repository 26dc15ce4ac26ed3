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


class RuleError(CellwrightError):
    """Something that goes against a rule.

    Args:
        where: what is at fault.
        rule: what holds for it.
        found: what was there instead, with named sizes.
        fix: the likely one.
    """

    def __init__(self, where: str, rule: str, found: str, fix: str = ""):
        self.parts = (where, rule, found, fix)
        super().__init__(*self.parts)

    def __str__(self) -> str:
        where, rule, found, fix = self.parts
        text = f"{where}: {rule}\n  found  {found}"
        return f"{text}\n  fix    {fix}" if fix else text


class CellwrightTypeError(CellwrightError, TypeError):
    """An argument of the wrong kind."""
