"""A layer's bare call: a tensor, maybe first states, and nothing else asked for.

That is how layers are called ten thousand times with nothing changed between. What does
not hang on the tensors of such a call is found once, what does is looked at as always.
It halves the time of a small layer's call.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from cellwright.autograd import (
    Planned,
    are_plain,
    is_recorded,
    is_transformed,
)
from cellwright.autograd.differentiable import Forward
from cellwright.autograd.function import asked_of
from cellwright.autograd.places import Places
from cellwright.autograd.resting import Rest
from cellwright.backends.c.levels import VARIABLE
from cellwright.backends.c.repeat import repeats
from cellwright.passes.pipeline import Gradients

from .call import Form
from .extras import Settings
from .one_pass import OnePass, one_pass
from .regularise import may_zone_out
from .resting import Computing, Repeated, Resting, plain_form, setting_of
from .snapshot import Snapshot

Weights = Mapping[str, Tensor]

MOST_RESTING = 64
"""Forms of inputs for which a layer's call is done again without a look at weights;
those that come first."""


class BareLayer(Settings, Protocol):
    """What a layer that is called has."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]

    @property
    def _weight_names(self) -> Sequence[str]:
        """Names of parameters and constants."""
        ...

    def _step_form(self) -> tuple[Form, Weights] | None: ...


class Bare:
    """What the bare calls of a layer have in common, as it is set.

    Args:
        layer: on kernels, with nothing that is drawn.
        form: what it is.
        weights: its weights by name.
    """

    def __init__(self, layer: Settings, form: Form, weights: Weights):
        graph, like = form.graph, next(iter(weights.values()))
        self._form, self._memory = form, layer.memory
        self._dtype, self._device = like.dtype, like.device
        self._batch_axis = 0 if layer.batch_first else 1
        self._planned = Planned(graph, like.dtype, layer.memory)
        self._firsts = [cast("float", graph.nodes[s.first].attr) for s in graph.states]
        self._takes_scalar = not graph.inputs[0].shape
        self._gives_scalar = not graph.output_shape
        fixed = tuple(f"{constant.name}_l" for constant in graph.constants)
        self._fixed = [name for name in weights if name.startswith(fixed)]
        self._shapes = {name: value.shape for name, value in weights.items()}
        self._declared_at: tuple[int, Sequence[Tensor]] = (-1, ())
        self._passes: dict[Gradients, OnePass | None] = {}
        self._before: Sequence[int] = ()
        self._places: Places | None = None
        self._resting: dict[Hashable, Repeated] = {}

    def again(self, layer: BareLayer, input: Tensor, hx: Any) -> tuple[Any, ...] | None:
        """Return what a call that was made before returns, done again.

        It is None where anything but the numbers may be other than it was then.

        Args:
            layer: that it is of.
            input: as the caller gave it, like the next.
            hx: first values of the states.
        """
        if not self._resting:
            return None
        moving = (input,)
        if hx is not None:
            given = (hx,) if isinstance(hx, Tensor) else hx
            if type(given) not in (list, tuple) or not given:
                return None
            moving = (input, *given)
            if any(type(each) is not Tensor for each in given):
                return None
        resting = self._resting.get(setting_of(moving))
        found = None if resting is None else resting.again(layer, moving)
        return None if found is None else self._returned(*found)

    def call(self, weights: Weights, input: Tensor, hx: Any) -> tuple[Any, ...] | None:
        """Return what the layer's call returns; None for what is not looked at here.

        Args:
            weights: of the layer, by name.
            input: as the caller gave it, like the next.
            hx: first values of the states.
        """
        # Another thread may set them anew meanwhile.
        places = self._places
        if places is not None and not places.hold(tuple(weights.values())):
            # What is held here may be memory that nobody else has any more.
            self._resting, self._places = {}, None
        if input.dim() != 3:
            return None
        given = (hx,) if isinstance(hx, Tensor) else hx or ()
        if type(given) not in (list, tuple):
            return None
        others = (*given, *weights.values())
        if not are_plain((input, *others)):
            return None
        rows = input.shape[self._batch_axis]
        given = self._declared(rows) if hx is None else given
        gradients = asked_of((input,), others)
        learns = gradients != "none"
        found = self._one_pass(gradients)
        if found is None:
            if not self._fits(weights, input, rows, given):
                return None
            outputs, last = self._run(weights, self._turned(input), given)
            return self._turned(outputs), last[0] if len(last) == 1 else tuple(last)
        tensors = (input, *given, *found.weights(weights, input))
        results = None if learns else found.whole.again(tensors)
        if results is None:
            # What was done before for tensors of these forms fitted.
            if not self._fits(weights, input, rows, given):
                return None
            whole = found.whole
            results = Forward.apply(whole, *tensors) if learns else whole.run(tensors)
        # Weights that are another tensor at every call, as by weight_norm, do not rest.
        before, self._before = self._before, [*map(id, weights.values())]
        if self._before == before:
            moving = 1 if hx is None else 1 + len(given)
            self._let_rest(weights, found, tensors, moving, learns)
        return self._returned(*results)

    def _let_rest(
        self,
        weights: Weights,
        which: OnePass,
        tensors: tuple[Tensor, ...],
        moving: int,
        learns: bool,
    ) -> None:
        """Note how to do a pass again, where it is written down.

        Args:
            weights: of the layer, by name.
            which: the pass.
            tensors: that it was run with.
            moving: how many of the first ones may be others next time.
            learns: whether a gradient was asked for.
        """
        learned = [isinstance(weights[name], nn.Parameter) for name in which.names]
        # By a Parameter it is told that the layer has another dtype now, and that hooks
        # have given back what was saved.
        if not any(learned) or len(self._resting) >= MOST_RESTING:
            return
        own, start = tuple(weights.values()), 1 + len(self._firsts)
        # Behind these comes what is computed of weights, anew for every call.
        rests = slice(moving, start + len(which.names))
        resting, made = tensors[rests], tensors[rests.stop :]
        does, form = repeats(), plain_form(made)
        setting = setting_of(tensors[:moving])
        # What is noted already and did not hold would not for the next call, either.
        if does is None or None in (setting, form) or setting in self._resting:
            return
        places, there = self._places or Places(does, own), Places(does, resting)
        run = which.whole.resting(tensors, rests, learns)
        if run is None or not (there.are_of(resting) and places.are_of(own)):
            return
        rest = Rest(which.whole, rests, there, run, learns, does)
        self._places, states = places, tensors[moving:start]
        if made:
            again = Computing(which, [*weights], places, form, states, rest)
        else:
            fixed = [place for place, is_one in enumerate(learned) if not is_one]
            again = Resting(which.names, fixed, states, rest)
        self._resting[setting] = again

    def _returned(self, output: Tensor, *last: Tensor) -> tuple[Any, ...]:
        output = output.unsqueeze(-1) if self._gives_scalar else output
        # Outside of the function: what it returns itself may be written to.
        return self._turned(output), last[0] if len(last) == 1 else last

    def _declared(self, rows: int) -> Sequence[Tensor]:
        """Return the first states that the cell declares; nobody writes to them."""
        known, states = self._declared_at
        if known != rows:
            like = {"dtype": self._dtype, "device": self._device}
            # What is made in inference mode could not be kept for a backward pass.
            with torch.inference_mode(False):
                states = tuple(
                    torch.full(shape, value, **like)
                    for shape, value in zip(
                        self._state_shapes(rows), self._firsts, strict=True
                    )
                )
            self._declared_at = rows, states
        return states

    def _state_shapes(self, rows: int) -> list[tuple[int, ...]]:
        form = self._form
        count = len(form.sizes) * (1 + form.bidirectional)
        return [(count, rows, *shape) for shape in form.state_shapes]

    def _fits(
        self, weights: Weights, input: Tensor, rows: int, given: Sequence[Tensor]
    ) -> bool:
        """Whether tensors are such that kernels run on them, or can tell what is not.

        A call that is refused is told so by those who look at everything.
        """
        if any(weights[name].requires_grad for name in self._fixed):
            return False
        steps, width = input.shape[1 - self._batch_axis], input.shape[2]
        if not steps or width != self._form.sizes[0]["input_size"]:
            return False
        shapes = self._state_shapes(rows)
        if len(given) != len(shapes) or not _is_here(input):
            return False
        return all(
            value.dtype is input.dtype and value.shape == shape and _is_here(value)
            for value, shape in zip(given, shapes, strict=True)
        )

    def _one_pass(self, gradients: Gradients) -> OnePass | None:
        """Return what runs all layers at once; None if nothing does.

        Args:
            gradients: whose are asked for.
        """
        if gradients != "none" and self._memory == "recompute":
            return None
        # Built when it is asked for: who only evaluates waits for no backward pass.
        if gradients not in self._passes:
            like = torch.empty(0, dtype=self._dtype, device=self._device)
            self._passes[gradients] = one_pass(
                self._form,
                self._planned,
                like,
                self._shapes,
                gradients,
                self._batch_axis == 0,
            )
        return self._passes[gradients]

    def _turned(self, values: Tensor) -> Tensor:
        return values.transpose(0, 1) if self._batch_axis == 0 else values

    def _run(
        self, weights: Weights, x: Tensor, given: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        kept: list[list[Tensor]] = [[] for _ in given]
        row = 0
        for directions in self._form.arguments(weights):
            outputs: list[Tensor] = []
            for backwards, arguments in enumerate(directions):
                seen = x.flip(0) if backwards else x
                seen = seen.squeeze(-1) if self._takes_scalar else seen
                first = [state[row] for state in given]
                output, *states = self._planned.run(arguments, [seen], first)
                output = output.unsqueeze(-1) if self._gives_scalar else output
                outputs.append(output.flip(0) if backwards else output)
                for values, state in zip(kept, states, strict=True):
                    values.append(state)
                row += 1
            x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        return x, [
            torch.stack(values) if row > 1 else values[0].unsqueeze(0)
            for values in kept
        ]


def _is_here(value: Tensor) -> bool:
    """Whether a tensor's numbers lie in the memory that kernels read."""
    return value.is_cpu and value.layout is torch.strided


class _Known(NamedTuple):
    """What was found out about a layer, and for what it holds."""

    place: tuple[Any, ...]
    level: str | None
    snapshot: Snapshot
    bare: Bare | None


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def bare_call(layer: BareLayer, input: object, hx: object) -> tuple[Any, ...] | None:
    """Return what a bare call of a layer returns; None where it is no such call.

    Args:
        layer: `Recurrent` or a drop-in.
        input: as the caller gave it, like the next.
        hx: first values of the states.
    """
    if type(input) is not Tensor or is_transformed() or is_recorded():
        return None
    known, level = _known.get(layer), os.environ.get(VARIABLE)
    if known and (known.level != level or not known.snapshot.holds(layer)):
        known = None
    if known and known.bare:
        found = known.bare.again(layer, input, hx)
        if found is not None:
            return found
    weights = current_weights(layer)
    like = next(iter(weights.values()))
    if input.dtype is not like.dtype:
        return None
    place = like.dtype, like.device
    if known is None or known.place != place:
        snapshot = Snapshot(cast("nn.Module", layer))
        known = _known[layer] = _Known(place, level, snapshot, _bare_of(layer))
    return None if known.bare is None else known.bare.call(weights, input, hx)


def current_weights(layer: BareLayer) -> dict[str, Tensor]:
    """Return a layer's parameters and constants as they are now, by name.

    One may be replaced at any time, by what is no longer a parameter as well.
    """
    own, fixed = layer._parameters, layer._buffers
    try:
        return {
            name: own[name] if name in own else fixed[name]
            for name in layer._weight_names
        }
    except KeyError:
        return {name: getattr(layer, name) for name in layer._weight_names}


def _bare_of(layer: BareLayer) -> Bare | None:
    found = layer._step_form()
    if found is None:
        return None
    form, weights = found
    graph = form.graph
    drawn = layer.dropout or layer.variational_dropout or layer.weight_dropout
    if len(graph.inputs) > 1 or may_zone_out(layer) or (layer.training and drawn):
        return None
    if any(graph.nodes[state.first].op != "const" for state in graph.states):
        return None
    return Bare(layer, form, weights)
