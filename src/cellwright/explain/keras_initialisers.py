"""Keras' names for first values, as torch draws them.

Source: keras.initializers, Keras 3. Those that are scaled have variance s / n, where n
is the number of inputs, of outputs too where the name says glorot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

TRUNCATED = 0.87962566103423978
"""Standard deviation of a standard normal that is cut at two of them."""

Initialiser = Callable[[Tensor], object]


def _truncated(weight: Tensor, deviation: float) -> None:
    # Keras' deviation is that of the normal which is cut, not of what is left of it.
    nn.init.trunc_normal_(weight, 0.0, deviation, -2 * deviation, 2 * deviation)


def _normal(scale: float, both: bool) -> Initialiser:
    def draw(weight: Tensor) -> None:
        _truncated(weight, (scale / _fan(weight, both)) ** 0.5 / TRUNCATED)

    return draw


def _uniform(scale: float, both: bool) -> Initialiser:
    def draw(weight: Tensor) -> None:
        limit = (3 * scale / _fan(weight, both)) ** 0.5
        nn.init.uniform_(weight, -limit, limit)

    return draw


def _fan(weight: Tensor, both: bool) -> float:
    outputs, inputs = weight.shape
    return (inputs + outputs) / 2 if both else inputs


INITIALISERS: Mapping[str, Initialiser] = {
    "zeros": nn.init.zeros_,
    "ones": nn.init.ones_,
    "random_normal": lambda weight: nn.init.normal_(weight, 0.0, 0.05),
    "random_uniform": lambda weight: nn.init.uniform_(weight, -0.05, 0.05),
    "truncated_normal": lambda weight: _truncated(weight, 0.05),
    "glorot_normal": _normal(1.0, both=True),
    "glorot_uniform": _uniform(1.0, both=True),
    "he_normal": _normal(2.0, both=False),
    "he_uniform": _uniform(2.0, both=False),
    "lecun_normal": _normal(1.0, both=False),
    "lecun_uniform": _uniform(1.0, both=False),
}


def initialise(weight: Tensor, name: str, argument: str) -> None:
    """Draw the first values of a matrix of outputs × inputs, or of a vector.

    Args:
        weight: filled in place.
        name: Keras'.
        argument: what it was given as, for the message.

    Raises:
        TypeError: for a name that is none of those above.
    """
    if name not in INITIALISERS:
        raise TypeError(f"{argument}={name!r} is none of {', '.join(INITIALISERS)}")
    with torch.no_grad():
        INITIALISERS[name](weight)
