"""Run a layer's directions with all values traced, each step checked by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result
from cellwright.ir.graph import Graph
from cellwright.nn.layers import Engine

Differ = Callable[[str, Tensor, Tensor], None]
"""Raises an error unless two values are equal, given what they are called."""


@dataclass(frozen=True, eq=False)
class Run:
    """One direction of one layer: what its equations were given, for every step.

    All values of a step follow from this by the graph, at whichever step.

    Args:
        suffix: of the layer and direction, ``_l0`` or ``_l1_reverse``.
        graph: of the cell, with what the call asked for beyond its equations.
        arguments: sizes, parameters and constants.
        inputs: by name.
        before: states before each step, by name.

    Shape:
        ``[T, B, ...]`` each, at the places of the steps in the sequence.
    """

    suffix: str
    graph: Graph
    arguments: Arguments
    inputs: Mapping[str, Tensor]
    before: Mapping[str, Tensor]


class Checked:
    """An engine that checks, of every value at every step, that it follows.

    A value of a step follows from the input and the states before it. So each step is
    computed once more by itself, all of them as rows of one, from the traced states.
    No rounding is carried on from step to step there, however long the sequence is.

    Args:
        engine: what runs the graph.
        suffixes: of the layers and directions, in the order in which they run.
        differ: is told every value twice.
        dtype: in which each step is computed once more.

    Attributes:
        firsts: the states before the first step, by direction.
        runs: what each direction was given.
    """

    def __init__(
        self,
        engine: Engine,
        suffixes: Sequence[str],
        differ: Differ,
        dtype: torch.dtype,
    ):
        self._engine = engine
        self._suffixes = iter(suffixes)
        self._differ = differ
        self._dtype = dtype
        self.firsts: list[Sequence[Tensor]] = []
        self.runs: list[Run] = []

    def __call__(
        self,
        graph: Graph,
        arguments: Arguments,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        trace: Sequence[str],
    ) -> Result:
        """Run one direction of one layer, in the order in which it reads."""
        suffix = next(self._suffixes)
        self.firsts.append(states)
        result = self._engine(graph, arguments, inputs, states, trace)
        before = [
            torch.cat([first.unsqueeze(0), result.traces[f"{state.name}'"][:-1]])
            for state, first in zip(graph.states, states, strict=True)
        ]
        again = self._step_by_step(graph, arguments, inputs, before, trace)
        backwards = suffix.endswith("_reverse")
        for name in trace:
            pair = [found.traces[name] for found in (result, again)]
            pair = [value.flip(0) for value in pair] if backwards else pair
            self._differ(name + suffix, *pair)
        placed = [
            {d.name: v.flip(0) if backwards else v for d, v in zip(*pair, strict=True)}
            for pair in ((graph.inputs, inputs), (graph.states, before))
        ]
        self.runs.append(Run(suffix, graph, arguments, *placed))
        return result

    def _step_by_step(
        self,
        graph: Graph,
        arguments: Arguments,
        inputs: Sequence[Tensor],
        before: Sequence[Tensor],
        trace: Sequence[str],
    ) -> Result:
        steps = inputs[0].shape[:2]
        sizes, *weights = arguments
        exact = Arguments(sizes, *map(self._cast, weights))
        rows, given = [self._rows(v) for v in inputs], [self._rows(v) for v in before]
        again = interpret.run(graph, exact, rows, [v[0] for v in given], trace)
        traces = {
            name: value.reshape(*steps, *value.shape[2:])
            for name, value in again.traces.items()
        }
        return Result(again.output, again.states, traces)

    def _rows(self, value: Tensor) -> Tensor:
        return value.to(self._dtype).reshape(1, -1, *value.shape[2:])

    def _cast(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self._dtype) for name, value in values.items()}
