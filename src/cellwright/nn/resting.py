"""A bare call without gradients, done again while its weights stay where they are.

Of a small layer's call a quarter went into the forms of tensors that had not changed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from cellwright.autograd.whole import Whole
from cellwright.backends.c.tape import form_of, team_of


class HasWeights(Protocol):
    """A layer, as far as its weights go."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]


class _Place(NamedTuple):
    """Where a weight lay.

    Args:
        name: its name.
        weight: it; whoever holds it may hold the layer that it belongs to.
        there: another tensor with its memory, shape and strides.
        address: of its first number: memory may be changed below a tensor.
    """

    name: str
    weight: Callable[[], Tensor | None]
    there: Tensor
    address: int


class Resting(NamedTuple):
    """A pass, and where all lay that it read but for its input.

    It holds the memory of the weights, also if these go or move away meanwhile.

    Args:
        places: of the weights, in their order.
        states: the first ones.
        setting: form of the input, and threads that the pass runs in.
        run: does it, for an input, these states and weights.
    """

    places: Sequence[_Place]
    states: Sequence[Tensor]
    setting: Hashable
    run: Callable[[Sequence[Tensor]], Sequence[Tensor]]

    def again(self, layer: HasWeights, input: Tensor) -> Sequence[Tensor] | None:
        """Return what the pass does; None where more than numbers may have changed.

        Args:
            layer: whose weights are read.
            input: in any form.
        """
        weights = self._weights(layer)
        if weights is None or setting_of(input) != self.setting:
            return None
        return self.run((input, *self.states, *weights))

    def _weights(self, layer: HasWeights) -> list[Tensor] | None:
        """Return a layer's weights, None where one is not that or not there."""
        own, fixed = layer._parameters, layer._buffers
        found: list[Tensor] = []
        for name, weight, there, address in self.places:
            now = own[name] if name in own else fixed.get(name)
            if now is None or now is not weight():
                return None
            if not (now.is_cpu and now.data_ptr() == address and now.is_set_to(there)):
                return None
            found.append(now)
        return found


def setting_of(input: Tensor) -> Hashable:
    """Return what a pass hangs on beside its weights."""
    return form_of(input), team_of()


def rest(
    whole: Whole, tensors: Sequence[Tensor], names: Sequence[str]
) -> Resting | None:
    """Return how to do a pass again; None if it is not written down.

    Args:
        whole: the pass.
        tensors: that it was run with: the input, the first states, the weights.
        names: of the weights.
    """
    run = whole.resting(tensors)
    if run is None:
        return None
    first = len(tensors) - len(names)
    states, weights = tensors[1:first], tensors[first:]
    places = [
        _Place(name, weakref.ref(each), each.detach(), each.data_ptr())
        for name, each in zip(names, weights, strict=True)
    ]
    return Resting(places, states, setting_of(tensors[0]), run)
