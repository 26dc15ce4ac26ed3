"""What the networks are given, looked at where it comes in: numbers, times, spikes."""

from __future__ import annotations

import math
from numbers import Real
from typing import TypeGuard

from torch import Tensor

from .errors import SpikeError


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a real number, an infinity or not, and neither NaN.

    Example:
        >>> [is_number(value) for value in (1, math.inf, math.nan, True, "1")]
        [True, True, False, False, False]
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return not math.isnan(value)


def check_time(where: str, name: str, value: object) -> None:
    """Raise SpikeError for anything but a finite number of milliseconds above 0.

    Args:
        where: Who asks.
        name: What it is called there.
        value: What was given.
    """
    if not is_number(value) or not 0 < value < math.inf:
        raise SpikeError(
            where,
            f"{name} is some milliseconds, more than 0",
            f"{name}={value!r}",
            f"a number such as {name}=0.5",
        )


def check_tensor(where: str, name: str, value: object) -> None:
    """Raise SpikeError for anything but a tensor.

    Args:
        where: Who asks.
        name: What it is called there.
        value: What was given.
    """
    if not isinstance(value, Tensor):
        kind = type(value)
        raise SpikeError(
            where,
            f"{name} is a tensor of torch",
            f"{kind.__module__}.{kind.__qualname__}",
            "torch.as_tensor makes one of an array",
        )


def check_spikes(where: str, spikes: Tensor, step: float) -> Tensor:
    """Return where a spike is.

    Args:
        where: Who asks.
        spikes: Of every step, time first.
        step: Milliseconds of a step.

    Raises:
        SpikeError: There is no tensor or no step, a number is none, or a step takes no
            time.
    """
    check_tensor(where, "spikes", spikes)
    if spikes.dim() == 0 or len(spikes) == 0:
        raise SpikeError(
            where,
            "spikes are [T, B, N] or [T, N] with one step at least",
            f"shape {list(spikes.shape)}",
            "what a layer puts out is [T, B, N], with batch_first=True [B, T, N]",
        )
    check_time(where, "step", step)
    if bool(spikes.isnan().any()):
        raise SpikeError(
            where,
            "spikes are numbers: 0 is none, anything else is one",
            "NaN",
            "look for it in the currents, and in the states that the layer began with",
        )
    return spikes.detach() != 0
