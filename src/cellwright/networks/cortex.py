"""A thousand neurons of the cortex, the network of Izhikevich, 2003.

Excitatory neurons lie between regular spiking and chattering, inhibitory ones between
low-threshold spiking and fast spiking; r is drawn for each from [0, 1):

    excitatory  a = 0.02           b = 0.2            c = -65 + 15 r²   d = 8 - 6 r²
    inhibitory  a = 0.02 + 0.08 r  b = 0.25 - 0.05 r  c = -65           d = 2

Every neuron acts on all, and on itself: a spike adds 0.5 r to the current of each if it
is an excitatory neuron's, and takes away r if it is an inhibitory one's, with an r for
each pair. What else the neurons get is noise, as if from the thalamus.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from cellwright.nn.options import whole_number
from cellwright.nn.recurrent import Recurrent

from .errors import SpikeError

COUPLED = Path(__file__).with_name("izhikevich_coupled.cell")
EXCITATORY, INHIBITORY = 800, 200
"""How many of each, as in the cortex of mammals."""


def cortex(
    excitatory: int = EXCITATORY,
    inhibitory: int = INHIBITORY,
    *,
    generator: torch.Generator | None = None,
    backend: str = "auto",
    dtype: torch.dtype | None = None,
) -> Recurrent:
    """Draw a network of cortical neurons; currents in, spikes out, in steps of 1 ms.

    The weights of its synapses are the matrix ``U_l0 [N, N]`` from the neuron in the
    column to the one in the row. Excitatory neurons come first. After Izhikevich, 2003,
    "Simple model of spiking neurons", doi:10.1109/TNN.2003.820440.

    Args:
        excitatory: Neurons that excite.
        inhibitory: Neurons that inhibit.
        generator: Where random numbers come from; torch's global one by default.
        backend: As of `Recurrent`.
        dtype: Of the layer.

    Shape:
        - input, output: ``[T, B, N]`` with all N neurons.

    Raises:
        OptionError: Neurons are no whole numbers, or there is none.
        SpikeError: The generator is none.

    Example:
        >>> import torch, cellwright as cw
        >>> drawn = torch.Generator().manual_seed(0)
        >>> network = cw.networks.cortex(generator=drawn)
        >>> with torch.no_grad():
        ...     spikes, _ = network(cw.networks.thalamus(1000, generator=drawn))
        >>> tuple(spikes.shape), 5 < float(cw.networks.rates(spikes).mean()) < 10
        ((1000, 1, 1000), True)
    """
    whole_number("cortex", "excitatory", excitatory, least=0)
    whole_number("cortex", "inhibitory", inhibitory, least=0)
    neurons = excitatory + inhibitory
    whole_number("cortex", "excitatory + inhibitory", neurons)
    _check_generator("cortex", generator)
    re = _draw(excitatory, generator=generator)
    ri = _draw(inhibitory, generator=generator)
    layer = Recurrent(
        COUPLED,
        neurons,
        neurons,
        backend=backend,
        dtype=dtype,
        init={"U": 0},
        a=torch.cat([torch.full_like(re, 0.02), 0.02 + 0.08 * ri]),
        b=torch.cat([torch.full_like(re, 0.2), 0.25 - 0.05 * ri]),
        c=torch.cat([-65 + 15 * re**2, torch.full_like(ri, -65.0)]),
        d=torch.cat([8 - 6 * re**2, torch.full_like(ri, 2.0)]),
    )
    exciting = 0.5 * _draw(neurons, excitatory, generator=generator)
    inhibiting = -_draw(neurons, inhibitory, generator=generator)
    with torch.no_grad():
        layer.get_parameter("U_l0").copy_(torch.cat([exciting, inhibiting], dim=1))
    return layer


def thalamus(
    steps: int,
    excitatory: int = EXCITATORY,
    inhibitory: int = INHIBITORY,
    *,
    batch: int = 1,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Draw noisy currents: 5 N(0, 1) for neurons that excite, 2 N(0, 1) for others.

    Args:
        steps: Milliseconds.
        excitatory: Neurons that excite.
        inhibitory: Neurons that inhibit.
        batch: Rows, each with its own noise.
        generator: Where random numbers come from; torch's global one by default.
        dtype: Of the currents.

    Shape:
        - currents: ``[T, B, N]``.

    Raises:
        OptionError: Steps, neurons or rows are no whole numbers.
        SpikeError: The generator is none.

    Example:
        >>> currents = thalamus(1000, generator=torch.Generator().manual_seed(0))
        >>> [round(float(part.std())) for part in currents.split((800, 200), -1)]
        [5, 2]
    """
    sizes = {"steps": steps, "excitatory": excitatory, "inhibitory": inhibitory}
    for name, size in {**sizes, "batch": batch}.items():
        whole_number("thalamus", name, size, least=0)
    _check_generator("thalamus", generator)
    shape = (steps, batch, excitatory + inhibitory)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    noise[..., :excitatory] *= 5
    noise[..., excitatory:] *= 2
    return noise.to(dtype or torch.get_default_dtype())


def _check_generator(where: str, generator: object) -> None:
    if generator is not None and not isinstance(generator, torch.Generator):
        raise SpikeError(
            where,
            "generator is a torch.Generator, or None for torch's global one",
            repr(generator),
            "torch.Generator().manual_seed(0)",
        )


def _draw(*shape: int, generator: torch.Generator | None) -> Tensor:
    """Draw from [0, 1) in float64, so that every dtype has the same network."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)
