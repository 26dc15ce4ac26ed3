"""Errors of the layers. Each is a RuntimeError too, which is what torch.nn raises."""

from cellwright.errors import CellwrightError, RuleError


class ShapeError(CellwrightError, ValueError, RuntimeError):
    """A tensor whose shape does not fit the layer."""


class DtypeError(CellwrightError, TypeError, ValueError, RuntimeError):
    """A tensor whose dtype is not the layer's, or something that is no tensor.

    A ValueError too, which torch.nn raises here.
    """


class OptionError(CellwrightError, ValueError, TypeError):
    """An argument of a layer that does not fit, is missing, or is not the cell's."""


class StateError(RuleError, ValueError, RuntimeError):
    """States that cannot be carried from one call of a model to the next."""
