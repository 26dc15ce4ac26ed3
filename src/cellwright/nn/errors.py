"""Errors of the layers. Each is a RuntimeError too, which is what torch.nn raises."""

from cellwright.errors import CellwrightError


class ShapeError(CellwrightError, ValueError, RuntimeError):
    """A tensor whose shape does not fit the layer."""


class DtypeError(CellwrightError, TypeError, ValueError, RuntimeError):
    """A tensor whose dtype is not the layer's, or something that is no tensor.

    A ValueError too, which torch.nn raises here.
    """


class OptionError(CellwrightError, ValueError, TypeError):
    """An argument of a layer that does not fit, is missing, or is not the cell's."""


class StateError(CellwrightError, ValueError, RuntimeError):
    """States that cannot be carried from one call of a model to the next."""

    def __init__(self, where: str, rule: str, found: str, fix: str = ""):
        self.parts = (where, rule, found, fix)
        super().__init__(*self.parts)

    def __str__(self) -> str:
        where, rule, found, fix = self.parts
        text = f"{where}: {rule}\n  found  {found}"
        return f"{text}\n  fix    {fix}" if fix else text
