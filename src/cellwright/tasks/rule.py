"""When a memory task counts as learned: Hochreiter and Schmidhuber's rule of 1997."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from .errors import TaskError


@dataclass
class PassRule:
    """Passed when the last sequences were all right, and their mean error is small.

    It is fed the errors of the sequences in the order in which they were trained on,
    each before the weights saw it, and looks at every one: it makes no difference how
    they were cut into batches. Once passed, it stays so.

    Hochreiter & Schmidhuber, 1997, "Long short-term memory", experiment 4,
    doi:10.1162/neco.1997.9.8.1735: a sequence is right when its absolute error is below
    0.04, and training stops when the average training error is below 0.01 and the 2,000
    most recent sequences were right. Over how many sequences that average goes is not
    said there; here it is the mean absolute error of these most recent ones.

    Args:
        tolerance: The absolute error that each of them stays below.
        mean: What their mean absolute error stays below.
        last: How many sequences are looked at.

    Attributes:
        seen: Sequences so far.
        run: How many of them in a row, up to the last one, were right.
        passed_at: After how many sequences the rule was met first; None before.

    Example:
        >>> rule = PassRule(last=3)
        >>> rule.update([0.2, 0.001, 0.002]), rule.run
        (False, 2)
        >>> rule.update([0.003, 0.5]), rule.passed_at
        (True, 4)
    """

    tolerance: float = 0.04
    mean: float = 0.01
    last: int = 2000
    seen: int = field(default=0, init=False)
    run: int = field(default=0, init=False)
    passed_at: int | None = field(default=None, init=False)
    _recent: np.ndarray = field(
        default_factory=lambda: np.zeros(0), init=False, repr=False
    )

    def update(self, errors: Tensor | np.ndarray | list[float]) -> bool:
        """Take the errors of the next sequences and return whether the rule is met.

        Args:
            errors: Output less target of each sequence, in any shape; the sign does
                not matter. NaN is wrong like any other error.
        """
        if isinstance(errors, Tensor):
            errors = errors.detach().cpu().double().numpy()
        new = np.abs(np.asarray(errors, np.float64)).reshape(-1)
        known = np.concatenate([self._recent, new])
        place = np.arange(len(known))
        wrong = ~(known < self.tolerance)
        last_wrong = np.maximum.accumulate(np.where(wrong, place, -1))
        # Sums are taken only where everything is right: NaN never enters one.
        right = np.flatnonzero(place - last_wrong >= self.last)
        if not self.passed:
            self._look(known, right)
        self.seen += len(new)
        self.run += len(new)
        if wrong.any():
            self.run = len(known) - 1 - int(last_wrong[-1])
        self._recent = known[-self.last :]
        return self.passed

    def _look(self, known: np.ndarray, ends: np.ndarray) -> None:
        for end in ends + 1:
            if known[end - self.last : end].mean() < self.mean:
                self.passed_at = self.seen + int(end) - len(self._recent)
                return

    @property
    def passed(self) -> bool:
        """Whether the rule has been met."""
        return self.passed_at is not None

    @property
    def error(self) -> float:
        """The mean absolute error of the most recent sequences; NaN before any."""
        return float(self._recent.mean()) if len(self._recent) else math.nan

    def wrong(self, errors: Tensor) -> int:
        """Return how many of some fresh sequences are wrong; the rule stays as it is.

        The paper reports this on a test set of 2,560.
        """
        return int((~(errors.detach().abs() < self.tolerance)).sum())

    def __str__(self) -> str:
        words = f"mean error {self.error:.4f} of {self.mean:g}"
        words += f", {min(self.run, self.last):,} of {self.last:,} in a row right"
        if self.passed_at is not None:
            return f"passed after {self.passed_at:,} sequences; {words}"
        return f"not passed after {self.seen:,} sequences; {words}"

    def state_dict(self) -> dict[str, Any]:
        """Return plain data from which `load_state_dict` goes on to the same bits."""
        return {
            "seen": self.seen,
            "run": self.run,
            "passed_at": self.passed_at,
            "recent": self._recent.tolist(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            TaskError: The state is that of a rule over more sequences.
        """
        if len(state["recent"]) > self.last:
            raise TaskError(
                f"a rule over the last {self.last:,} sequences cannot go on from one "
                f"over {len(state['recent']):,}"
            )
        self.seen, self.run = state["seen"], state["run"]
        self.passed_at = state["passed_at"]
        self._recent = np.asarray(state["recent"], np.float64)
