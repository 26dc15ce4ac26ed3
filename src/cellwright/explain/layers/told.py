"""What one kind of layer says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from cellwright.explain.arithmetic import once
from cellwright.explain.facts import Axis, Product, Recurrence, Shape, Sum

Size = tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """The first call of a layer in a run.

    Args:
        takes: shapes of the tensors that it was called with; none if it never was.
        gives: shapes of those that it returned.
    """

    takes: tuple[Size, ...] = ()
    gives: tuple[Size, ...] = ()


@dataclass(frozen=True)
class Told:
    """What is true of a layer.

    Args:
        parameters: how many it learns.
        multiply_adds: of its first call; None where it is not known.
        remarks: sentences with its own numbers.
        takes: names of the axes of what it takes, from the first.
        gives: likewise of what it gives.
        recurrence: what it is made of, if it is recurrent.
    """

    parameters: Sum
    multiply_adds: Sum | None = None
    remarks: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    recurrence: Recurrence | None = None


Teller = Callable[[Any, Seen], Told]

NOTHING = Sum(())


def held(module: nn.Module) -> Sum:
    """Return the count of a layer of whose tensors nothing else is known."""
    return once(
        Product(tuple(p.shape), name.replace("_", " "), (name,))
        for name, p in module.named_parameters(recurse=False)
    )


def named(shape: Size, names: Sequence[str]) -> Shape:
    """Return a shape with names; axes that nobody named count features behind rows."""
    if len(names) != len(shape):
        names = guessed(len(shape))
    return tuple(Axis(*pair) for pair in zip(names, shape, strict=True))


def guessed(axes: int) -> Sequence[str]:
    """Return what axes usually are."""
    usual: dict[int, Sequence[str]] = {
        0: (),
        1: ("features",),
        2: ("batch", "features"),
        3: ("batch", "time", "features"),
        4: ("batch", "channels", "height", "width"),
    }
    return usual.get(axes) or ["batch", *(f"axis {i}" for i in range(1, axes))]


def wide_rows(seen: Seen) -> tuple[str, ...]:
    """Return the names of axes of rows of features that have more than three.

    Pictures have as many, but their last axis counts no features.
    """
    axes = len(seen.takes[0]) if seen.takes else 0
    if axes < 4:
        return ()
    return ("batch", *(f"axis {i}" for i in range(1, axes - 1)), "features")


def rows_of(shape: Size) -> int:
    """Return how many rows of features a tensor has."""
    return math.prod(shape[:-1])
