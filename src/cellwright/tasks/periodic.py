"""1 0 0 0 1 0 0 0 ...: how much memory does the next symbol take?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor

from .errors import TaskError
from .examples import Examples, device_of, whole
from .rule import PassRule

Start = Literal["one", "any"]
STARTS: tuple[Start, ...] = get_args(Start)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class PeriodicScore:
    """How well the next symbol was said.

    Attributes:
        mse: Mean squared error.
        accuracy: Share of the symbols that were right, from 0.5 on being a 1.
        worst: The largest absolute error.
    """

    mse: float
    accuracy: float
    worst: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A 1 and then zeros, again and again; say the next symbol at every step.

    Each step shows the present symbol and asks for the next one. After a 1 comes a 0.
    After a 0 the symbol itself does not tell: who sees nothing else says 0 and misses
    every 1 (`guesses`, `memoryless`). What is needed is to count ``period - 1`` zeros,
    in however few units. `free_run` then shows whether a network that hears only
    itself goes on for ever.

    Args:
        period: From one 1 to the next.
        steps: Symbols that one sequence shows.
        start: ``"one"``: every sequence begins with the 1, so a batch repeats one
            sequence; a network may then count steps and never look at its input.
            ``"any"``: each begins anywhere in the period, and `score` waits for the
            first 1, before which nobody can know.

    Raises:
        TaskError: A size is no whole number or too small, or there is no such start.

    Example:
        >>> task = Periodic(period=4, steps=8)
        >>> drawn = task.draw(1)
        >>> drawn.x[:, 0, 0].tolist()
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        >>> drawn.target[:, 0, 0].tolist()
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        >>> task.memoryless, task.memoryless_accuracy, task.guesses
        (Fraction(1, 6), Fraction(3, 4), (0, 0))
    """

    period: int = 4
    steps: int = 100
    start: Start = "one"

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            listed = ", ".join(map(repr, STARTS))
            raise TaskError(f"periodic: start={self.start!r} is none of {listed}")
        whole("periodic", "period", self.period, 2)
        whole("periodic", "steps", self.steps, self.period)

    @property
    def input_size(self) -> int:
        """The present symbol."""
        return 1

    @property
    def output_size(self) -> int:
        """The next symbol."""
        return 1

    @property
    def guesses(self) -> tuple[int, int]:
        """The likeliest symbol after a 0 and after a 1, for who sees only that.

        After a 1 comes a 0. Of the ``period - 1`` zeros of a period one stands before
        the 1, so a 0 is as likely as not at period 3, where 0 is named, and likelier
        from 4 on. At period 2 the present symbol tells everything.
        """
        return (1 if self.period == 2 else 0), 0

    @property
    def memoryless(self) -> Fraction:
        """The least mean squared error of whoever sees the present symbol only.

        The best answer is the mean of what follows: 0 after a 1, and after a 0 the
        share q = 1 / (p - 1) of zeros that a 1 follows, p being the period. That errs
        by q (1 - q) after each of the p - 1 zeros of a period, and not after the 1:
        ``(p - 1) / p · q (1 - q) = (p - 2) / (p (p - 1))``, 1/6 at period 4.
        """
        return Fraction(self.period - 2, self.period * (self.period - 1))

    @property
    def memoryless_accuracy(self) -> Fraction:
        """The largest share of right symbols for whoever sees only the present one.

        Saying `guesses` misses the 1 of every period, ``(p - 1) / p``; at period 2 it
        misses none.
        """
        return Fraction(1) if self.period == 2 else 1 - Fraction(1, self.period)

    def symbols(self, begin: int, end: int) -> Tensor:
        """Return the symbols of an endless sequence, from one step to before another.

        Windows of it follow each other: a stream of any length needs no memory.

        Example:
            >>> Periodic(period=3).symbols(2, 7).tolist()
            [0.0, 1.0, 0.0, 0.0, 1.0]
        """
        return (torch.arange(begin, end) % self.period == 0).float()

    def draw(self, count: int, generator: torch.Generator | None = None) -> Examples:
        """Draw sequences, in float32.

        Args:
            count: How many.
            generator: Where random starts come from, and so the device; torch's global
                generator of the CPU by default. ``start="one"`` draws nothing.

        Returns:
            ``x [T, B, 1]``, the symbols, and ``target [T, B, 1]``, the next ones.
        """
        whole("periodic", "count", count, 1)
        device = device_of(generator)
        begin = torch.zeros(count, dtype=torch.int64, device=device)
        if self.start == "any":
            begin = torch.randint(
                self.period, (count,), generator=generator, device=device
            )
        step = torch.arange(self.steps + 1, device=device)[:, None] + begin
        symbols = (step % self.period == 0).float()[..., None]
        return Examples(symbols[:-1], symbols[1:])

    def known(self, values: Tensor) -> Tensor:
        """Return those steps of ``[T, B, 1]`` whose next symbol can be known.

        With ``start="any"`` nobody can before the first 1, which has come after one
        period at the latest.
        """
        return values[self.period - 1 :] if self.start == "any" else values

    def score(self, said: Tensor, examples: Examples) -> PeriodicScore:
        """Compare what a network said with what came, where it could be known.

        Args:
            said: Its outputs, ``[T, B, 1]``.
            examples: What it was shown.
        """
        truth = self.known(examples.target)
        said = self.known(said.detach()).to(truth)
        error = (said - truth).double()
        right = (said >= 0.5) == (truth >= 0.5)
        return PeriodicScore(
            mse=float((error**2).mean()),
            accuracy=float((right & ~said.isnan()).double().mean()),
            worst=float(error.abs().max()),
        )

    def rule(self) -> PassRule:
        """Return a fresh rule that says when the task counts as learned.

        As for the noise-free sequences of Hochreiter & Schmidhuber, 1997, "Long
        short-term memory", experiment 2a: 10,000 in a row with errors below .25. There
        it is 10,000 sequences; here, where one sequence has no end, symbols.
        """
        return PassRule(tolerance=0.25, mean=math.inf, last=10_000)


@torch.no_grad()
def free_run(
    predict: Callable[[Tensor, S | None], tuple[Tensor, S]],
    opening: Tensor,
    steps: int,
    *,
    symbols: bool = True,
) -> Tensor:
    """Let a network go on by itself: what it says at one step it sees at the next.

    Args:
        predict: Takes inputs ``[T, B, 1]`` and the state it returned last (None at
            first), and returns outputs of the same shape and the state after them.
        opening: What it is shown first, ``[T, B, 1]``.
        steps: How many symbols to take from it.
        symbols: Whether it sees 0 or 1, whichever is nearer to what it said. False
            shows it what it said itself, so that its errors may grow.

    Returns:
        What it said, ``[steps, B, 1]``, the symbol behind the opening first.

    Example:
        >>> def parrot(x, state):
        ...     return x, state
        >>> free_run(parrot, torch.ones(1, 1, 1), 3).flatten().tolist()
        [1.0, 1.0, 1.0]
    """
    whole("free_run", "steps", steps, 1)
    said, state = predict(opening, None)
    found = [said[-1:]]
    while len(found) < steps:
        shown = (found[-1] >= 0.5).to(opening) if symbols else found[-1]
        said, state = predict(shown, state)
        found.append(said[-1:])
    return torch.cat(found)
