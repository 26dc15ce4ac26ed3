"""The named neurons of Izhikevich, 2003: currents in, spikes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from cellwright.language.report import did_you_mean
from cellwright.nn.options import Option, whole_number
from cellwright.nn.recurrent import Recurrent

from .checks import check_time
from .errors import SpikeError

ALONE = Path(__file__).with_name("izhikevich_alone.cell")
EULER = Path(__file__).with_name("izhikevich_euler.cell")


def _kind(a: float, b: float, c: float, d: float) -> Mapping[str, float]:
    return MappingProxyType({"a": a, "b": b, "c": c, "d": d})


IZHIKEVICH_TYPES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "regular spiking": _kind(0.02, 0.2, -65.0, 8.0),
        "intrinsically bursting": _kind(0.02, 0.2, -55.0, 4.0),
        "chattering": _kind(0.02, 0.2, -50.0, 2.0),
        "fast spiking": _kind(0.1, 0.2, -65.0, 2.0),
        "low-threshold spiking": _kind(0.02, 0.25, -65.0, 2.0),
        "thalamo-cortical": _kind(0.02, 0.25, -65.0, 0.05),
        "resonator": _kind(0.1, 0.26, -65.0, 2.0),
    }
)
"""The constants a, b, c and d of each type of neuron, figure 2 of Izhikevich, 2003,
doi:10.1109/TNN.2003.820440. Fast spiking and low-threshold spiking neurons inhibit."""


def izhikevich(
    kind: str,
    neurons: int = 1,
    *,
    step: float | None = None,
    backend: str = "auto",
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **constants: Option,
) -> Recurrent:
    """Make neurons of one type that get a current each and are not connected.

    It is a layer of the cell `izhikevich` without weights: the input is the current
    itself, the output 1 in a step that begins with a spike, else 0. The potential of
    every step is a trace, ``layer(current, trace=["v'"])``.

    Args:
        kind: A name in `IZHIKEVICH_TYPES`.
        neurons: How many.
        step: Milliseconds of a step of Euler's method; None is the author's scheme of
            2003, in steps of 1 ms with two halves for the potential.
        backend: As of `Recurrent`.
        device: Where the constants are.
        dtype: Of currents and spikes.
        **constants: Constants of the cell that are not the type's.

    Shape:
        - input, output: ``[T, B, neurons]``.

    Raises:
        SpikeError: There is no such type, or a step takes no time.
        OptionError: The cell has no such constant, or neurons is no whole number.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = cw.networks.izhikevich("chattering", dtype=torch.float64)
        >>> spikes, _ = layer(torch.full((1000, 1, 1), 10.0, dtype=torch.float64))
        >>> int(spikes.sum())
        43
    """
    if not isinstance(kind, str) or kind not in IZHIKEVICH_TYPES:
        raise SpikeError(
            "izhikevich",
            f"a kind is one of {', '.join(IZHIKEVICH_TYPES)}",
            repr(kind),
            did_you_mean(str(kind), list(IZHIKEVICH_TYPES))
            or 'Recurrent("izhikevich", ..., a=, b=, c=, d=) takes any constants',
        )
    whole_number("izhikevich", "neurons", neurons)
    # Any, because the names of constants are none of the layer's own arguments.
    chosen: dict[str, Any] = {**IZHIKEVICH_TYPES[kind], **constants}
    if step is not None:
        check_time("izhikevich", "step", step)
        chosen["step"] = step
    cell = ALONE if step is None else EULER
    return Recurrent(
        cell, neurons, neurons, backend=backend, device=device, dtype=dtype, **chosen
    )
