"""A bare call, done again while the layer's weights stay where they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from cellwright.autograd.places import Places
from cellwright.autograd.resting import Rest
from cellwright.backends.c.repeat import repeats
from cellwright.backends.c.tape import team_of

from .one_pass import OnePass


class HasWeights(Protocol):
    """A layer, as far as its weights go."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]


class Repeated(Protocol):
    """A pass that is done again."""

    def again(
        self, layer: HasWeights, moving: Sequence[Tensor]
    ) -> Sequence[Tensor] | None:
        """Return what the pass does; None where a weight may be another one.

        Args:
            layer: whose weights are read.
            moving: the input and the first states that the caller gave, of the setting
                that this was made for.
        """
        ...


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
        """Return what the pass does, see `Repeated`."""
        weights = [*map(layer._parameters.get, self.names)]
        for place in self.buffers:
            weights[place] = layer._buffers.get(self.names[place])
        resting = (*self.states, *weights)
        if not self.rest.places.hold(resting):
            return None
        return self.rest.again((*moving, *resting))


class Computing(NamedTuple):
    """A pass that reads what torch computes of a layer's weights at every call, too.

    Args:
        which: the pass.
        names: of all weights of the layer, in their order.
        places: where they lie.
        form: of what is computed.
        states: the first ones where the caller gives none.
        rest: the pass, of which nothing that is computed rests.
    """

    which: OnePass
    names: Sequence[str]
    places: Places
    form: Hashable
    states: Sequence[Tensor]
    rest: Rest

    def again(
        self, layer: HasWeights, moving: Sequence[Tensor]
    ) -> Sequence[Tensor] | None:
        """Return what the pass does, see `Repeated`."""
        learned, fixed = layer._parameters, layer._buffers
        weights: dict[str, Any] = {
            name: learned[name] if name in learned else fixed.get(name)
            for name in self.names
        }
        if not self.places.hold(tuple(weights.values())):
            return None
        made = self.which.made(weights, moving[0])
        resting = (*self.states, *map(weights.__getitem__, self.which.names))
        # Asked behind torch's work: another thread may have moved one meanwhile.
        if plain_form(made) != self.form or not self.rest.places.hold(resting):
            return None
        return self.rest.again((*moving, *resting, *made))


def plain_form(tensors: Sequence[Tensor]) -> Hashable:
    """Return the form of tensors; None where nothing tells it, as of a subclass."""
    does = repeats()
    return does and does.form(*tensors)


def setting_of(moving: Sequence[Tensor]) -> Hashable:
    """Return what a pass hangs on beside what rests; None where no pass rests.

    Args:
        moving: the input, and first states where the caller gives some.
    """
    form = plain_form(moving)
    return form and (torch.is_grad_enabled(), team_of(), form)
