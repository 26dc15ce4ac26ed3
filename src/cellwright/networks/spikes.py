"""What is counted of spikes: rates, times, intervals, the rhythm of a population.

Spikes are what a layer puts out, ``[T, B, N]`` or ``[T, N]``: anything but 0 is one.
Results have the dtype of the spikes, or torch's default one where that has more digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .checks import check_spikes
from .errors import SpikeError


def rates(spikes: Tensor, step: float = 1.0) -> Tensor:
    """Return the spikes per second of each neuron.

    Args:
        spikes: Of every step.
        step: Milliseconds of a step.

    Shape:
        - spikes: ``[T, ...]``; result: ``[...]``.

    Example:
        >>> rates(torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
        tensor([750., 250.])
    """
    fired = check_spikes("rates", spikes, step)
    return _rounded(fired.sum(0).double() * 1000 / (len(spikes) * step), spikes)


def first_spikes(spikes: Tensor, step: float = 1.0) -> Tensor:
    """Return when each neuron spikes first, in ms; infinity where it never does.

    Args:
        spikes: Of every step.
        step: Milliseconds of a step.

    Shape:
        - spikes: ``[T, ...]``; result: ``[...]``.

    Example:
        >>> first_spikes(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
        tensor([1., inf])
    """
    fired = check_spikes("first_spikes", spikes, step)
    first = _times(fired.byte().argmax(0), step, spikes)
    return torch.where(fired.any(0), first, float("inf"))


def spike_times(spikes: Tensor, step: float = 1.0) -> Any:
    """Return the times of all spikes of each neuron, in ms.

    Args:
        spikes: Of every step.
        step: Milliseconds of a step.

    Returns:
        One tensor for spikes ``[T]``, a list of N for ``[T, N]``, B such lists for
        ``[T, B, N]``: neurons differ in how often they spike.

    Example:
        >>> spike_times(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
        [tensor([0., 2.]), tensor([1.])]
    """
    fired = check_spikes("spike_times", spikes, step)
    return _nested(
        fired.movedim(0, -1),
        lambda row: _times(row.nonzero().flatten(), step, spikes),
    )


def intervals(spikes: Tensor, step: float = 1.0) -> Any:
    """Return the times from each spike of a neuron to its next, in ms.

    Args:
        spikes: Of every step.
        step: Milliseconds of a step.

    Returns:
        Nested as `spike_times`, with one entry less for each neuron.

    Example:
        >>> intervals(torch.tensor([1, 0, 1, 0, 0, 1]))
        tensor([2., 3.])
    """
    fired = check_spikes("intervals", spikes, step)
    # Steps are subtracted, not times: late ones have digits for neither spike to spare.
    return _nested(
        fired.movedim(0, -1),
        lambda row: _times(row.nonzero().flatten().diff(), step, spikes),
    )


def spectrum(spikes: Tensor, step: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return the rhythm of a population: the power of its rate at each frequency.

    Rate is the spikes of all neurons per neuron and second, less its mean. Powers add
    up to the rate's variance over time.

    Args:
        spikes: Of every step.
        step: Milliseconds of a step.

    Shape:
        - spikes: ``[T, N]``, ``[T, 1, N]``, or ``[T]`` of one neuron.
        - frequencies in Hz and power in (spikes/s)²: ``[T // 2]``, from
          ``1000 / (T * step)`` Hz up.

    Example:
        >>> beat = torch.zeros(1000, 5)
        >>> beat[::25] = 1  # all five neurons at once, 40 times a second
        >>> hertz, power = spectrum(beat)
        >>> float(hertz[power[:60].argmax()])
        40.0
    """
    fired = check_spikes("spectrum", spikes, step)
    if fired.dim() > 2 and fired.shape[1] > 1:
        raise SpikeError(
            "spectrum",
            "it is of one row: rows with rhythms of their own would cancel",
            f"spikes {list(fired.shape)}",
            "spectrum(spikes[:, row])",
        )
    if 0 in fired.shape:
        raise SpikeError(
            "spectrum",
            "a population has one neuron at least",
            f"spikes {list(fired.shape)}",
            "spikes are [T, N] with all neurons of the population",
        )
    rate = fired.reshape(len(fired), -1).double().mean(1) * 1000 / step
    steps = len(rate)
    power = 2 * (torch.fft.rfft(rate) / steps).abs().square()[1:]
    if steps % 2 == 0:
        power[-1] /= 2  # The highest frequency stands once among all, the others twice.
    which = torch.arange(1, steps // 2 + 1, dtype=power.dtype, device=power.device)
    return which * 1000 / (steps * step), power


def _nested(fired: Tensor, look: Callable[[Tensor], Tensor]) -> Any:
    if fired.dim() == 1:
        return look(fired)
    return [_nested(part, look) for part in fired]


def _times(steps: Tensor, step: float, spikes: Tensor) -> Tensor:
    """Return in ms what was counted in steps."""
    return _rounded(steps.double() * step, spikes)


def _rounded(values: Tensor, spikes: Tensor) -> Tensor:
    """Return what was computed in float64 in the dtype of a result for these spikes."""
    return values.to(torch.promote_types(spikes.dtype, torch.get_default_dtype()))
