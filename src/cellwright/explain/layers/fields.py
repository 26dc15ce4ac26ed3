"""How much of a network's input one value of a layer hangs on: receptive fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from .told import Seen

SLIDING = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
)
BY_VALUE = (
    *(nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.PReLU),
    *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
)
"""What keeps every value at its place."""


AXES = {"1d": 1, "2d": 2, "3d": 3}
"""Of places, by the end of a layer's name."""


@dataclass(frozen=True)
class Field:
    """What one place behind a layer hangs on.

    Args:
        places: of the network's input, along each axis.
        strides: places of the input from one place behind the layer to the next.
        terms: how the places add up along each axis, ``3 + (3 - 1)×1``.
        windows: how many layers that slide there are so far.
    """

    places: tuple[int, ...]
    strides: tuple[int, ...]
    terms: tuple[str, ...]
    windows: int

    def remark(self) -> str:
        """Say it, with the arithmetic of each axis that differs from the one before."""
        listed = ", ".join(
            f"{size} = {term}"
            for size, term in dict(zip(self.places, self.terms, strict=True)).items()
        )
        size = "×".join(map(str, self.places))
        return (
            f"through the {self.windows} layers with windows so far, each value hangs "
            f"on {size} places of the network's input: {listed}"
        )


def fields(
    modules: Mapping[str, nn.Module],
    seen: Mapping[str, Seen],
    follows: Mapping[str, str],
    calls: Mapping[str, int],
    begins: set[str],
) -> dict[str, Field]:
    """Return the receptive field of each layer that a chain leads to from the input.

    Behind layers that are called twice, or whose window is not known, there is none.

    Args:
        modules: the layers, by path.
        seen: their first calls, in their order.
        follows: for each the layer whose result it was handed as it is.
        calls: how often each was called.
        begins: layers that are handed the network's input.
    """
    found: dict[str, Field] = {}
    for path, call in seen.items():
        module = modules[path]
        if calls[path] != 1 or not isinstance(module, SLIDING + BY_VALUE):
            continue
        before = found.get(follows.get(path, ""))
        if before is None and path in begins:
            axes = AXES.get(type(module).__name__[-2:], max(len(call.takes[0]) - 2, 0))
            before = Field((1,) * axes, (1,) * axes, ("",) * axes, 0)
        if before is not None:
            by_value = isinstance(module, BY_VALUE)
            found[path] = before if by_value else _behind(before, module)
    return found


def _behind(before: Field, module: Any) -> Field:
    axes = len(before.places)
    kernel, strides, dilation = (
        _each(getattr(module, name, 1), axes)
        for name in ("kernel_size", "stride", "dilation")
    )
    reach = [1 + (k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if not before.windows:
        return Field(tuple(reach), strides, tuple(map(str, reach)), 1)
    # One place farther behind the layers so far is `strides` places of the input.
    steps = list(zip(reach, before.strides, strict=True))
    return Field(
        tuple(n + (r - 1) * s for n, (r, s) in zip(before.places, steps, strict=True)),
        tuple(a * b for a, b in zip(before.strides, strides, strict=True)),
        tuple(
            f"{term} + ({r} - 1)×{s}"
            for term, (r, s) in zip(before.terms, steps, strict=True)
        ),
        before.windows + 1,
    )


def _each(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
