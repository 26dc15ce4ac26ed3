"""What a layer is set to, as quickly as that can be compared at every call."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from torch import nn

WORDS = (
    "_asked",
    "_memory",
    "backend",
    "batch_first",
    "bias",
    "bidirectional",
    "dropout",
    "hidden_size",
    "input_size",
    "mode",
    "num_layers",
    "proj_size",
    "training",
    "variational_dropout",
    "weight_dropout",
    "zoneout",
)
"""Attributes of `Recurrent` and the drop-ins that decide what a bare call does."""


class Snapshot:
    """A layer's class and settings as they are now.

    Args:
        layer: `Recurrent` or a drop-in.
    """

    def __init__(self, layer: nn.Module):
        own = layer.__dict__
        self._kind, self._count = type(layer), len(own)
        # What is not the layer's own, but its class', is told by the count.
        self._of = itemgetter(*(word for word in WORDS if word in own))
        self._values = self._of(own)

    def holds(self, layer: Any) -> bool:
        """Whether nothing of it has changed."""
        own = layer.__dict__
        if len(own) != self._count or type(layer) is not self._kind:
            return False
        try:
            return self._of(own) == self._values
        except KeyError:
            return False
