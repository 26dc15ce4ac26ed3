"""The root of every error that cellwright raises on purpose.

Each class below also inherits the builtin that a caller would expect, so
``except ValueError`` keeps working. Rooms define their own errors from these.
"""


class CellwrightError(Exception):
    """Anything that cellwright refuses, with the reason and the likely fix."""


class CellwrightValueError(CellwrightError, ValueError):
    """A value or a size that does not fit."""


class CellwrightTypeError(CellwrightError, TypeError):
    """An argument of the wrong kind."""
