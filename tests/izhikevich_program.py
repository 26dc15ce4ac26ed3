"""The programs of Izhikevich, 2003, in Python and NumPy, from his listing."""

from collections.abc import Mapping

import numpy as np

from cellwright.nn.recurrent import Recurrent


def one_neuron(kind: Mapping[str, float], steps: int, current: float) -> list[int]:
    """Return the spike times of one neuron."""
    a, b, c, d = (kind[name] for name in "abcd")
    v, u, spikes = -65.0, b * -65.0, []
    for t in range(steps):
        if v >= 30:
            spikes.append(t)
            v, u = c, u + d
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u = u + a * (b * v - u)
    return spikes


def network(layer: Recurrent, currents: np.ndarray) -> np.ndarray:
    """Return who spikes when, on the constants and weights of a layer of ours.

    Args:
        layer: has the constants a, b, c and d of its neurons, and the weights U.
        currents: [T, N], without those of the synapses.
    """
    a, b, c, d = (layer.get_buffer(f"{name}_l0").numpy() for name in "abcd")
    weights = layer.get_parameter("U_l0").detach().numpy()
    v = np.full_like(b, -65.0)
    u, spikes = b * v, []
    for current in currents:
        fired = v >= 30
        spikes.append(fired)
        v, u = np.where(fired, c, v), np.where(fired, u + d, u)
        total = current + weights[:, fired].sum(1)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + total)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + total)
        u = u + a * (b * v - u)
    return np.stack(spikes)
