"""The adding problem: keep two marked numbers of a long sequence, and join them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import torch
from torch import Tensor

from .errors import TaskError
from .examples import Examples, device_of, whole
from .rule import PassRule

Variant = Literal["mean", "1997", "sum"]
ADDING_VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""The three forms, the default first."""
FIRST_PAIRS = 10
"""Among so many pairs the first mark of the 1997 variant stands."""

_UNIFORM = Fraction(1, 12)
"""The variance of a number drawn evenly from an interval of length 1."""
_LEAST: dict[Variant, int] = {"mean": 2, "1997": FIRST_PAIRS + 1, "sum": 2}
_RANGE: dict[Variant, int] = {"mean": 1, "1997": 1, "sum": 2}
"""The length of the interval that the targets lie in."""


@dataclass(frozen=True, slots=True)
class Adding:
    """The adding problem, in one of three forms that are easily taken for each other.

    Every step gives a value and a mark. Two values are marked, and what is asked at the
    last step hangs on these two alone. All values are drawn independently.

    * ``"mean"``: values from [0, 1], marks 1 at two steps anywhere and 0 elsewhere; the
      target is the mean of the two marked values.
    * ``"1997"``: experiment 4 of Hochreiter & Schmidhuber, 1997, "Long short-term
      memory", doi:10.1162/neco.1997.9.8.1735. Values from [-1, 1]; from ``steps`` to
      ``1.1 * steps`` steps, each length as likely; one of the first ten pairs is marked
      (its value is X1), then one of the first ``steps / 2 - 1`` still unmarked ones
      (X2). Marked is 1; the first and the last pair have -1 unless they are marked,
      all others 0. Where the first pair is the first to be marked, X1 is 0. The target
      is ``0.5 + (X1 + X2) / 4``.
    * ``"sum"``: as ``"mean"``, with their sum as the target; Bai, Kolter & Koltun,
      2018, arXiv:1803.01271. (Others put one mark into each half; that is not this.)

    Args:
        steps: How long a sequence is; in the 1997 form, at least.
        variant: Which form.

    Raises:
        TaskError: There are too few steps for two marks, or no such variant.

    Example:
        >>> task = Adding(steps=100)
        >>> drawn = task.draw(64, torch.Generator().manual_seed(0))
        >>> tuple(drawn.x.shape), tuple(drawn.target.shape), drawn.lengths
        ((100, 64, 2), (64, 1), None)
        >>> (
        ...     task.memoryless,
        ...     Adding(100, "1997").memoryless,
        ...     Adding(100, "sum").memoryless,
        ... )
        (Fraction(1, 24), Fraction(19, 480), Fraction(1, 6))
    """

    steps: int = 100
    variant: Variant = "mean"

    def __post_init__(self) -> None:
        if self.variant not in ADDING_VARIANTS:
            listed = ", ".join(map(repr, ADDING_VARIANTS))
            raise TaskError(f"adding: variant={self.variant!r} is none of {listed}")
        name = f"adding, {self.variant}"
        whole(name, "steps", self.steps, _LEAST[self.variant])

    @property
    def input_size(self) -> int:
        """A value and a mark."""
        return 2

    @property
    def output_size(self) -> int:
        """One number."""
        return 1

    @property
    def most_steps(self) -> int:
        """The first axis of what `draw` returns."""
        return self.steps + (self.steps // 10 if self.variant == "1997" else 0)

    @property
    def memoryless(self) -> Fraction:
        """The mean squared error of the best answer that remembers nothing.

        That is the target's mean, always, and its error is the target's variance. A
        number drawn evenly from an interval of length w has variance w² / 12.

        * mean: ``Var((U1 + U2) / 2) = (1/12 + 1/12) / 4 = 1/24``.
        * sum: ``Var(U1 + U2) = 1/12 + 1/12 = 1/6``. The .1767 often seen is wrong.
        * 1997: ``Var((X1 + X2) / 4) = (Var X1 + Var X2) / 16``. X2 is drawn evenly from
          [-1, 1], 4/12 = 1/3. So is X1, but that it is 0 in one of ten sequences:
          9/10 · 1/3. Together ``(3/10 + 1/3) / 16 = 19/480 = .0396``. The usual 1/24
          leaves out that X1 may be 0.

        Of the mean and the sum the last step may itself be marked, in 2 of ``steps``
        sequences. Who sees it then knows one of the two values, so the last step alone
        allows ``1 - 1 / steps`` of these figures. In the 1997 form it never is.
        """
        if self.variant == "1997":
            return (Fraction(9, 10) + 1) * 4 * _UNIFORM / 16
        return 2 * _UNIFORM * Fraction(_RANGE[self.variant], 2) ** 2

    def draw(self, count: int, generator: torch.Generator | None = None) -> Examples:
        """Draw sequences, in float32.

        Args:
            count: How many.
            generator: Where random numbers come from, and so the device; torch's global
                generator of the CPU by default.

        Returns:
            ``x [T, B, 2]`` with value and mark, ``target [B, 1]``, and ``lengths [B]``
            in the 1997 form alone.
        """
        whole("adding", "count", count, 1)
        if self.variant == "1997":
            return self._draw_1997(count, generator)
        device = device_of(generator)
        values = torch.rand(self.steps, count, generator=generator, device=device)
        first = _integers(self.steps, count, generator)
        second = _but(_integers(self.steps - 1, count, generator), first)
        marks = torch.zeros_like(values)
        marked = _mark(values, marks, first, second)
        target = marked.sum(0) if self.variant == "sum" else marked.mean(0)
        return Examples(torch.stack([values, marks], -1), target[:, None])

    def _draw_1997(self, count: int, generator: torch.Generator | None) -> Examples:
        device, most = device_of(generator), self.most_steps
        values = torch.rand(most, count, generator=generator, device=device) * 2 - 1
        first = _integers(FIRST_PAIRS, count, generator)
        second = _but(_integers(self.steps // 2 - 1, count, generator), first)
        lengths = self.steps + _integers(most - self.steps + 1, count, generator)
        values[0, first == 0] = 0
        values[torch.arange(most, device=device)[:, None] >= lengths] = 0
        marks = torch.zeros_like(values)
        marks[0] = -1
        marks.scatter_(0, lengths[None] - 1, -1)
        target = 0.5 + _mark(values, marks, first, second).sum(0) / 4
        return Examples(torch.stack([values, marks], -1), target[:, None], lengths)

    def rule(self) -> PassRule:
        """Return a fresh rule that says when the task counts as learned.

        It is the rule of 1997 in all three forms: errors below 4 % of the interval that
        the targets lie in, and below 1 % of it in the mean. The targets of the 1997
        form lie in [0, 1], and so do means: with ``X = 2 U - 1`` their target is
        ``0.5 + (X1 + X2) / 4``, the same number. Sums lie in [0, 2], so both bounds are
        twice as large, .08 and .02. Papers about sums mostly ask for a mean squared
        error below .01 instead. Whoever passes here is there too: errors below .08 have
        squares below .0064.
        """
        width = _RANGE[self.variant]
        return PassRule(tolerance=0.04 * width, mean=0.01 * width)


def _integers(stop: int, count: int, generator: torch.Generator | None) -> Tensor:
    return torch.randint(
        stop, (count,), generator=generator, device=device_of(generator)
    )


def _but(rank: Tensor, taken: Tensor) -> Tensor:
    """Return the places of these ranks, from 0, among all places but the taken one."""
    return rank + (rank >= taken)


def _mark(values: Tensor, marks: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Mark two steps of every sequence and return their values, ``[2, B]``."""
    places = torch.stack([first, second])
    marks.scatter_(0, places, 1)
    return values.gather(0, places)
