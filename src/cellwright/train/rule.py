"""End a training when a task counts as learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from cellwright.tasks import PassRule

from .loop import Event


class UntilPassed:
    """A callback that feeds a rule with the errors of each step, before it was learned.

    Args:
        rule: Such as that of 1997.
        counted: Takes errors, and returns those that count.

    Attributes:
        rule: With what it has seen.
    """

    def __init__(
        self, rule: PassRule, counted: Callable[[Tensor], Tensor] = lambda v: v
    ):
        self.rule = rule
        self.counted = counted

    def __call__(self, event: Event) -> bool:
        """Take a step's errors; say whether the rule is met."""
        for said, target in event.pairs:
            self.rule.update(self.counted(said - target))
        return self.rule.passed

    def state_dict(self) -> dict[str, Any]:
        """Return what the rule has seen."""
        return self.rule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.rule.load_state_dict(state)
