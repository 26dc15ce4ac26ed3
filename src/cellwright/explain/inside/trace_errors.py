"""Errors of `trace` and `horizon`: where, the rule, what was found, the fix."""

from __future__ import annotations

from cellwright.errors import RuleError


class TraceError(RuleError, ValueError, RuntimeError):
    """A module whose inside cannot be shown."""


class ReplayError(TraceError):
    """A replay that is not what the layer computed: nothing of it is shown.

    Attributes:
        layer: the layer in words.
        quantity: what differs, such as ``output`` or ``f_l0``.
        place: where it first does, by axis: ``{"T": 3, "B": 0, "unit": 5}``.
        difference: the largest one, relative to the largest entry above 1.
    """

    def __init__(
        self,
        layer: str,
        rule: str,
        found: str,
        fix: str,
        quantity: str,
        place: dict[str, int],
        difference: float,
    ):
        super().__init__(layer, rule, found, fix)
        self.layer = layer
        self.quantity = quantity
        self.place = place
        self.difference = difference

    def __reduce__(self) -> tuple[object, ...]:
        last = (self.quantity, self.place, self.difference)
        return type(self), (*self.parts, *last)
