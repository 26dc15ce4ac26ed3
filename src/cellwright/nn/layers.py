"""Run layers and directions of a cell on top of one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cellwright.autograd import Memory, is_transformed, without_autocast
from cellwright.autograd import run as run_compiled
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result, first_states
from cellwright.backends.reference.segments import run_in_segments
from cellwright.ir.graph import Graph
from cellwright.passes.rewrite import rewrite

from .extras import Extras
from .shapes import Layout

_rewritten = lru_cache(maxsize=256)(rewrite)

Engine = Callable[..., Result]
"""Runs a graph over a sequence, with the arguments of `interpret.run`."""


class LayersResult(NamedTuple):
    """What layers give, time first.

    Args:
        output: of the last layer, ``[T, B, D*O]``.
        states: in declaration order, ``[L*D, B, H]``, or ``[T, L*D, B, H]`` where all
            were asked for.
        traces: by name and suffix (``i_l0_reverse``), ``[T, B, H]`` or ``[T, B]``, and
            in the order of the input for both directions.
    """

    output: Tensor
    states: list[Tensor]
    traces: Mapping[str, Tensor]

    def returned(self, layout: Layout, extras: Extras) -> tuple[Any, ...]:
        """Return what the layer's call returns, in the layout of its input."""
        states = self.states
        if not layout.batched:
            axis = 2 if extras.all_states else 1
            states = [state.squeeze(axis) for state in states]
        state = states[0] if len(states) == 1 else tuple(states)
        output = layout.as_given(self.output)
        if not extras.trace:
            return output, state
        traces = {name: layout.as_given(v) for name, v in self.traces.items()}
        return output, state, traces


def run_layers(
    graph: Graph,
    rows: Sequence[Sequence[Arguments]],
    x: Tensor,
    given: Sequence[Tensor] | None,
    dropout: float,
    extras: Extras,
    further: Sequence[Tensor] = (),
    backend: str | Engine = "reference",
) -> LayersResult:
    """Run layers over a sequence, each over the output of the one below.

    All of it computes in the dtype of the tensors, also where torch.autocast is on.

    Args:
        graph: the cell.
        rows: for every layer, the arguments of each of its directions.
        x: the input of the lowest layer.
        given: first states, each with a row a layer and direction; what the cell
            declares when it is None.
        dropout: share of a lower layer's output that is dropped; 0 in evaluation.
        extras: what there is beyond the cell.
        further: the cell's other inputs, the same in every layer.
        backend: ``"c"``, ``"reference"``, or what else runs each direction of each
            layer, one after the other.

    Shape:
        - x: ``[T, B, I]``
        - given: ``[L*D, B, H]``
    """
    states: list[list[Tensor]] = [[] for _ in graph.states]
    traces: dict[str, Tensor] = {}
    with without_autocast(x.device.type):
        for layer, directions in enumerate(rows):
            if layer > 0:
                x = F.dropout(x, dropout, training=dropout > 0)
            outputs: list[Tensor] = []
            for direction, arguments in enumerate(directions):
                row = layer * len(directions) + direction
                first = None if given is None else [state[row] for state in given]
                suffix = f"_l{layer}{'_reverse' if direction else ''}"
                result = _direction(
                    graph, arguments, (x, *further), first, extras, suffix, backend
                )
                outputs.append(result.output)
                for kept, state in zip(states, result.states, strict=True):
                    kept.append(state)
                traces |= {name + suffix: v for name, v in result.traces.items()}
            x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        axis = 1 if extras.all_states else 0
        return LayersResult(x, [_stacked(kept, axis) for kept in states], traces)


def _stacked(values: list[Tensor], axis: int) -> Tensor:
    return torch.stack(values, axis) if len(values) > 1 else values[0].unsqueeze(axis)


def engine(backend: str | Engine, memory: Memory) -> Engine:
    """Return what runs a graph over a sequence.

    Args:
        backend: ``"c"`` or ``"reference"``; another engine stays what it is.
        memory: what is kept for a backward pass.
    """
    if not isinstance(backend, str):
        return backend
    if backend == "c":
        return partial(run_compiled, memory=memory)
    # torch.func's transforms cannot look into a checkpoint.
    anew = memory == "recompute" and torch.is_grad_enabled() and not is_transformed()
    return run_in_segments if anew else interpret.run


def _direction(
    cell: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    first: list[Tensor] | None,
    extras: Extras,
    suffix: str,
    backend: str | Engine,
) -> Result:
    """Run one direction; everything comes and goes in the order of the input.

    Between layers a scalar has an axis of one feature.
    """
    x, backwards = inputs[0], suffix.endswith("_reverse")
    if first is None:
        declared = first_states(cell, arguments, x)
        first = [value.expand(x.shape[1], *value.shape) for value in declared]
    graph = _rewritten(cell, extras.rewrites())
    added = graph.inputs[len(cell.inputs) :]
    more = extras.inputs(added, arguments.sizes, x, suffix)
    seen = [value.flip(0) for value in inputs] if backwards else list(inputs)
    if not cell.inputs[0].shape:
        seen[0] = seen[0].squeeze(-1)
    after = [f"{state.name}'" for state in cell.states] if extras.all_states else []
    names = tuple(dict.fromkeys([*extras.trace, *after]))
    run = engine(backend, extras.memory)
    result = run(graph, arguments, [*seen, *more], first, names)
    output = result.output if cell.output_shape else result.output.unsqueeze(-1)
    traces = dict(result.traces)
    if backwards:
        output = output.flip(0)
        traces = {name: value.flip(0) for name, value in traces.items()}
    states = tuple(traces[name] for name in after) if after else result.states
    return Result(output, states, {name: traces[name] for name in extras.trace})
