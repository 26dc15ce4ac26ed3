"""A layer's bare call: a tensor, maybe first states, and nothing else asked for.

That is how layers are called ten thousand times with nothing changed between. What does
not hang on the tensors of such a call is found once, what does is looked at as always.
It halves the time of a small layer's call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from cellwright.autograd import Planned, are_plain, is_transformed
from cellwright.backends.c.levels import VARIABLE

from .call import Form
from .extras import Settings
from .regularise import may_zone_out
from .snapshot import Snapshot

Weights = Mapping[str, Tensor]


class BareLayer(Settings, Protocol):
    """What a layer that is called has."""

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
        self._form, self._width = form, form.sizes[0]["input_size"]
        self._batch_axis = 0 if layer.batch_first else 1
        self._planned = Planned(graph, like.dtype, layer.memory)
        self._firsts = [cast("float", graph.nodes[s.first].attr) for s in graph.states]
        self._takes_scalar = not graph.inputs[0].shape
        self._gives_scalar = not graph.output_shape
        fixed = tuple(f"{constant.name}_l" for constant in graph.constants)
        self._fixed = [name for name in weights if name.startswith(fixed)]

    def call(self, weights: Weights, input: Tensor, hx: Any) -> tuple[Any, ...] | None:
        """Return what the layer's call returns; None for what is not looked at here.

        Args:
            weights: of the layer, by name.
            input: as the caller gave it, like the next.
            hx: first values of the states.
        """
        if input.dim() != 3 or not _is_here(input):
            return None
        if any(weights[name].requires_grad for name in self._fixed):
            return None
        x = input.transpose(0, 1) if self._batch_axis == 0 else input
        steps, rows, width = x.shape
        if steps == 0 or width != self._width:
            return None
        given = self._states(x, rows, hx)
        if given is None or not are_plain([x, *given, *weights.values()]):
            return None
        outputs, last = self._run(weights, x, given)
        output = outputs.transpose(0, 1) if self._batch_axis == 0 else outputs
        return output, last[0] if len(last) == 1 else tuple(last)

    def _states(self, x: Tensor, rows: int, hx: Any) -> Sequence[Tensor] | None:
        """Return first states, None for those that do not fit."""
        form = self._form
        count = len(form.sizes) * (1 + form.bidirectional)
        shapes = [(count, rows, *shape) for shape in form.state_shapes]
        if hx is None:
            pairs = zip(shapes, self._firsts, strict=True)
            return [
                x.new_full(shape, value) if value else x.new_zeros(shape)
                for shape, value in pairs
            ]
        given = [hx] if isinstance(hx, Tensor) else hx
        if type(given) not in (list, tuple) or len(given) != len(shapes):
            return None
        for value, shape in zip(given, shapes, strict=True):
            if not isinstance(value, Tensor) or value.dtype is not x.dtype:
                return None
            if value.shape != shape or not _is_here(value):
                return None
        return given

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


_known: WeakKeyDictionary[Any, tuple[tuple[Any, ...], Snapshot, Bare | None]]
_known = WeakKeyDictionary()


def bare_call(
    layer: BareLayer, weights: Weights, input: object, hx: object
) -> tuple[Any, ...] | None:
    """Return what a bare call of a layer returns; None where it is no such call.

    Args:
        layer: `Recurrent` or a drop-in.
        weights: of the layer, by name.
        input: as the caller gave it, like the next.
        hx: first values of the states.
    """
    like = next(iter(weights.values()))
    if type(input) is not Tensor or input.dtype is not like.dtype or is_transformed():
        return None
    place = like.dtype, like.device, os.environ.get(VARIABLE)
    known = _known.get(layer)
    if known is None or known[0] != place or not known[1].holds(layer):
        snapshot = Snapshot(cast("nn.Module", layer))
        known = _known[layer] = place, snapshot, _bare_of(layer)
    return None if known[2] is None else known[2].call(weights, input, hx)


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
