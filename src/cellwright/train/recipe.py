"""How weights are changed: what training is, whatever the model and the data."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from .errors import SettingsError

Schedule = Callable[[float], float]
"""The share of the learning rate at a share of the training that is done."""

CYCLES = 4
"""Descents of ``restarts``, each a quarter of the training."""


def cosine(done: float) -> float:
    """Descend along half a cosine, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * done))


SCHEDULES: Mapping[str, Schedule] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": cosine,
    # Loshchilov & Hutter 2017, arXiv 1608.03983, with cycles of equal length.
    "warm restarts": lambda done: cosine(done * CYCLES % 1),
}

R = TypeVar("R", bound="Recipe")
Make = Callable[[Iterable[Parameter]], Optimizer]


@dataclass(frozen=True)
class Recipe:
    """The settings of a training loop.

    Attributes:
        epochs: At most so many passes over the data.
        patience: Stop after so many epochs without a better middle block; None never.
        restarts: So many times, begin again with weights drawn anew when a training has
            ended; the best weights of all on the middle block are kept.
        optimiser: ``"adam"``, ``"adamw"``, ``"sgd"`` or ``"rmsprop"``.
        learning_rate: Of the optimiser, before the schedule.
        momentum: Of ``sgd`` and ``rmsprop``.
        weight_decay: Of the optimiser.
        schedule: ``"constant"``, ``"linear"`` or ``"cosine"`` (down to 0 at the end of
            the last epoch), or ``"warm restarts"`` (four cosines).
        warmup: So many steps over which the learning rate rises from 0.
        clip: The largest norm of the gradient.
        noise: Standard deviation of what is added to every input in training.
        accumulate: Batches whose gradients are averaged into one step.
        average: What is measured and kept is a running average of the weights; so much
            of it stays at each step. 0 is the weights themselves.
        seed: Starts the only source of randomness.
    """

    epochs: int = 20
    patience: int | None = None
    restarts: int = 0
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    clip: float = 1.0
    noise: float = 0.0
    accumulate: int = 1
    average: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("epochs", 1),
            ("restarts", 0),
            ("warmup", 0),
            ("accumulate", 1),
        ):
            whole(name, getattr(self, name), least)
        if self.patience is not None:
            whole("patience", self.patience, 1)
        if not is_whole(self.seed) or not 0 <= self.seed < 2**63:
            raise refusal("seed", "is a whole number from 0 to 2**63 - 1", self.seed)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not is_finite(value) or value <= 0:
                raise refusal(name, "is a finite number above 0", value)
        for name in ("noise", "weight_decay"):
            value = getattr(self, name)
            if not is_finite(value) or value < 0:
                raise refusal(name, "is a finite number, at least 0", value)
        for name in ("momentum", "average"):
            share(name, getattr(self, name))
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            value = getattr(self, name)
            if value not in known:
                raise refusal(name, f"is one of {', '.join(known)}", value)
        if self.momentum and self.optimiser not in ("sgd", "rmsprop"):
            rule = f"is for sgd and rmsprop; {self.optimiser} has its own"
            raise refusal("momentum", rule, self.momentum)

    @classmethod
    def of(  # noqa: PYI019, typing.Self is newer than Python 3.10
        cls: type[R], options: Mapping[str, Any]
    ) -> R:
        """Build from named options; an unknown name is answered with the nearest.

        Raises:
            SettingsError: A name or a value is not one that can be used.
        """
        known = [entry.name for entry in fields(cls)]
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else ", ".join(known)
                raise SettingsError(f"there is no setting {name!r}\n  fix: {hint}")
        return cls(**options)

    def make_optimiser(self, parameters: Iterable[Parameter]) -> Optimizer:
        """Return the optimiser of these parameters."""
        return OPTIMISERS[self.optimiser](self)(parameters)

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate changes; else whoever has the optimiser sets it."""
        return self.schedule != "constant" or self.warmup > 0

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the learning rate at a step, counted from 0.

        Args:
            step: The step that is about to be done.
            steps: Those of the whole training.

        Example:
            >>> recipe = Recipe(schedule="linear", warmup=1)
            >>> [recipe.rate(step, 4) for step in range(4)]
            [0.5, 0.75, 0.5, 0.25]
        """
        rise = min(1.0, (step + 1) / (self.warmup + 1)) if self.warmup else 1.0
        return rise * SCHEDULES[self.schedule](step / steps)

    def kept(self, step: int) -> float:
        """Return how much of the running average stays at a step, counted from 1.

        It begins small, so that the first weights, which are random, are soon
        forgotten.

        Example:
            >>> [round(Recipe(average=0.98).kept(step), 3) for step in (1, 10, 1000)]
            [0.182, 0.55, 0.98]
        """
        return min(self.average, (1 + step) / (10 + step))


def _of(kind: Callable[..., Optimizer], *names: str) -> Callable[[Recipe], Make]:
    def make(recipe: Recipe) -> Make:
        chosen: dict[str, Any] = {name: getattr(recipe, name) for name in names}
        chosen["lr"] = recipe.learning_rate
        return partial(kind, weight_decay=recipe.weight_decay, **chosen)

    return make


OPTIMISERS: Mapping[str, Callable[[Recipe], Make]] = {
    "adam": _of(torch.optim.Adam),
    "adamw": _of(torch.optim.AdamW),
    "sgd": _of(torch.optim.SGD, "momentum"),
    "rmsprop": _of(torch.optim.RMSprop, "momentum"),
}


def whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too small a one."""
    if not is_whole(value) or value < least:  # pyright: ignore[reportOperatorIssue]
        raise refusal(name, f"is a whole number, at least {least}", value)


def share(name: str, value: object) -> None:
    """Refuse what is no number from 0 to below 1."""
    if not is_finite(value) or not 0 <= value < 1:  # pyright: ignore[reportOperatorIssue]
        raise refusal(name, "is a number from 0 to below 1", value)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Whether a value is a number, neither infinite nor NaN."""
    return isinstance(value, int | float) and math.isfinite(value)


def refusal(name: str, rule: str, value: object) -> SettingsError:
    """Return what to raise for a setting that breaks its rule."""
    return SettingsError(f"{name} {rule}; found {name}={value!r}")
