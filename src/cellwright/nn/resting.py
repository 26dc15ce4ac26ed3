"""A bare call, done again while the layer's weights stay where they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from cellwright.autograd.resting import Rest
from cellwright.backends.c.repeat import repeats
from cellwright.backends.c.tape import team_of


class HasWeights(Protocol):
    """A layer, as far as its weights go."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]


class Resting(NamedTuple):
    """A pass, and which of a layer's weights it reads.

    Args:
        names: of the weights, in their order.
        buffers: the places among them of those that are no parameters.
        states: the first ones where the caller gives none.
        rest: the pass.
    """

    names: Sequence[str]
    buffers: Sequence[int]
    states: Sequence[Tensor]
    rest: Rest

    def again(
        self, layer: HasWeights, moving: Sequence[Tensor]
    ) -> Sequence[Tensor] | None:
        """Return what the pass does; None where a weight may be another one.

        Args:
            layer: whose weights are read.
            moving: the input and the first states that the caller gave, of the setting
                that this was made for.
        """
        weights = [*map(layer._parameters.get, self.names)]
        for place in self.buffers:
            weights[place] = layer._buffers.get(self.names[place])
        resting = (*self.states, *weights)
        if not self.rest.places.hold(resting):
            return None
        return self.rest.again((*moving, *resting))


def setting_of(moving: Sequence[Tensor]) -> Hashable:
    """Return what a pass hangs on beside what rests; None where no pass rests.

    Args:
        moving: the input, and first states where the caller gives some.
    """
    does = repeats()
    form = does and does.form(*moving)
    return form and (torch.is_grad_enabled(), team_of(), form)
