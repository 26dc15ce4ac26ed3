"""What can go wrong between a C source text and a loaded library."""

from __future__ import annotations

from cellwright.errors import CellwrightError, CellwrightValueError


class LevelError(CellwrightValueError):
    """CELLWRIGHT_LEVEL names no level, or one that this processor does not run."""


class CompilerError(CellwrightValueError):
    """CC names no C compiler that can be used."""


class BuildError(CellwrightError, RuntimeError):
    """A kernel that could not be built, kept or loaded."""


class TensorError(CellwrightError, TypeError, RuntimeError):
    """A tensor that no kernel can read as what it stands for."""


class CacheWarning(UserWarning):
    """Kernels are kept in another folder than the usual one."""
