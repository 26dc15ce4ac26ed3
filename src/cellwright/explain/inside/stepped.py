"""An engine that runs a graph one step at a time and keeps every state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result
from cellwright.ir.graph import Graph
from cellwright.nn.extras import Extras
from cellwright.passes.rewrite import Rewrites

States = Sequence[Tensor]


class ByHand(Extras):
    """Extras whose mask is no rewrite of the graph, because the engine applies it.

    In a rewritten step the output and the state that is carried on are two choices made
    of one new value, so that neither hangs on the other.
    """

    def rewrites(self) -> Rewrites:
        """Return which other changes of the cell's graph there are."""
        return replace(super().rewrites(), mask=False)


def by_hand(extras: Extras) -> ByHand:
    """Return extras as those of a `Stepped` engine."""
    return ByHand(**{each.name: getattr(extras, each.name) for each in fields(extras)})


class Stepped:
    """Runs each direction step by step; its states after each are nodes of the graph.

    Args:
        cell: whose states these are.
        suffixes: of the layers and directions, in the order in which they run.
        keep: which steps happen, ``[T, B]``; None for all.

    Attributes:
        nodes: states after each step that happens, by suffix, without those that are
            one number a row.
    """

    def __init__(self, cell: Graph, suffixes: Sequence[str], keep: Tensor | None):
        self._cell = cell
        self._suffixes = iter(suffixes)
        self._keep = keep
        self.nodes: dict[str, list[States]] = {}

    def __call__(
        self,
        graph: Graph,
        arguments: Arguments,
        inputs: Sequence[Tensor],
        states: States,
        trace: Sequence[str],
    ) -> Result:
        """Run one direction of one layer, in the order in which it reads."""
        suffix = next(self._suffixes)
        keep = self._keep
        if keep is not None:
            keep = keep.flip(0) if suffix.endswith("_reverse") else keep
            # Padding may hold NaN, whose gradient is none either.
            own = len(self._cell.inputs)
            seen = [torch.where(_as(keep, v), v, 0) for v in inputs[:own]]
            inputs = [*seen, *inputs[own:]]
        nodes = self.nodes[suffix] = []
        current = [in_graph(state) for state in states]
        parts: list[Result] = []
        # One split for all steps: the gradient of an index is as long as the sequence.
        for t, piece in enumerate(zip(*(v.split(1) for v in inputs), strict=True)):
            result = interpret.run(graph, arguments, piece, current, trace)
            wide = zip(result.states, graph.states, strict=True)
            nodes.append([value for value, state in wide if state.shape])
            if keep is not None:
                result = _kept(result, current, keep[t], graph)
            current = list(result.states)
            parts.append(result)
        traces = {name: torch.cat([p.traces[name] for p in parts]) for name in trace}
        output = torch.cat([part.output for part in parts])
        return Result(output, tuple(current), traces)


def in_graph(value: Tensor) -> Tensor:
    """Return a value on which a gradient can arrive, where gradients are on.

    So states have gradients too where all weights are frozen. A value that was cut off
    stays cut off from what it was made of.
    """
    if value.requires_grad or not torch.is_grad_enabled():
        return value
    return value.detach().requires_grad_()


def _kept(result: Result, before: States, keep: Tensor, graph: Graph) -> Result:
    """Return what a step gives where some of its rows do not happen."""
    pairs = zip(result.states, before, strict=True)
    states = tuple(torch.where(_as(keep, new), new, old) for new, old in pairs)
    rows = keep.unsqueeze(0)
    output = torch.where(_as(rows, result.output), result.output, 0)
    after = {f"{s.name}'": v for s, v in zip(graph.states, states, strict=True)}
    traces = {
        name: after[name].unsqueeze(0)
        if name in after
        else torch.where(_as(rows, value), value, 0)
        for name, value in result.traces.items()
    }
    return Result(output, states, traces)


def _as(keep: Tensor, value: Tensor) -> Tensor:
    """Return flags with the axes of a value behind them."""
    return keep.reshape(*keep.shape, *[1] * (value.dim() - keep.dim()))
