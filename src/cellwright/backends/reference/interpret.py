"""Run a graph over a sequence, one node after the other.

What hangs on the weights alone is computed once, what hangs on inputs once for all
steps, the rest step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from cellwright.ir.graph import Binding, Graph, Node, bindings, reachable
from cellwright.ir.ops import Attr
from cellwright.ir.sizes import Shape, Size, shape_text

from .frozen import Frozen
from .ops import TORCH, Implementation, Resolved, number


class Arguments(NamedTuple):
    """What a graph runs on; every tensor has one dtype and one device.

    Args:
        sizes: every named size as a whole number.
        parameters: learned tensors by the graph's names.
        constants: tensors or 0-dimensional tensors by name.
    """

    sizes: Mapping[str, int]
    parameters: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]


class Result(NamedTuple):
    """What a run gives.

    Args:
        output: ``[T, B, O]``, or ``[T, B]`` when the output is a scalar.
        states: the last values, ``[B, H]`` or ``[B]``, in declaration order.
        traces: values asked for by name, ``[T, B, H]`` or ``[T, B]``.
    """

    output: Tensor
    states: tuple[Tensor, ...]
    traces: Mapping[str, Tensor]


def run(
    graph: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
    trace: Sequence[str] = (),
    frozen: Frozen | None = None,
) -> Result:
    """Run a graph over all steps of its inputs.

    Args:
        graph: the cell.
        arguments: sizes, parameters and constants.
        inputs: ``[T, B, I]`` or, for a scalar input, ``[T, B]``, in declaration order.
        states: the first values, ``[B, H]`` or ``[B]``, in declaration order.
        trace: names of values to return at every step (``"i"``, ``"c'"``).
        frozen: hold what has no slope of its own, see `Frozen`.

    Raises:
        ValueError: for a trace that the graph has not, or that is a matrix.

    Shape:
        T steps, B rows of a batch, I and H as the cell declares.
    """
    plan = _plan(graph, tuple(trace))
    evaluator = _Evaluator(graph, arguments, inputs[0], frozen)
    named = zip(graph.inputs, inputs, strict=True)
    given = {i.name: _with_axis(v, i.shape) for i, v in named}
    evaluator.compute_weights(plan.weights)
    evaluator.compute_inputs(plan.inputs, given)
    current = [
        _with_axis(value, state.shape)
        for state, value in zip(graph.states, states, strict=True)
    ]
    rows: dict[int, list[Tensor]] = {root: [] for root in plan.kept}
    for t in range(inputs[0].shape[0]):
        values = {s.name: v for s, v in zip(graph.states, current, strict=True)}
        step = evaluator.step(t, plan, values)
        batch = current[0].shape[:-1]
        current = [_full(step(s.next), batch) for s in graph.states]
        for root, kept in rows.items():
            kept.append(_full(step(root), batch))
    stacked = {root: torch.stack(kept) for root, kept in rows.items()}
    return Result(
        _without_axis(stacked[graph.output], graph.output_shape),
        tuple(
            _without_axis(v, s.shape)
            for v, s in zip(current, graph.states, strict=True)
        ),
        {
            name: _without_axis(stacked[node], graph.nodes[node].shape)
            for name, node in zip(trace, plan.traced, strict=True)
        },
    )


def first_states(
    graph: Graph, arguments: Arguments, like: Tensor, frozen: Frozen | None = None
) -> list[Tensor]:
    """Return the declared first value of every state, without a batch.

    Args:
        graph: the cell.
        arguments: sizes, parameters and constants.
        like: a tensor of the dtype and device to compute in.
        frozen: as in `run`.
    """
    evaluator = _Evaluator(graph, arguments, like, frozen)
    roots = {state.first for state in graph.states}
    evaluator.compute_weights(sorted(reachable(graph.nodes, roots)))
    return [
        _exactly(evaluator.weights[s.first], _resolved_shape(s.shape, arguments.sizes))
        for s in graph.states
    ]


class Weights:
    """What hangs on weights alone, computed once a call, differentiable.

    Args:
        graph: the cell.
        nodes: those whose values are asked for.
    """

    def __init__(self, graph: Graph, nodes: Sequence[int]):
        self._graph = graph
        self._nodes = nodes
        self._order = sorted(reachable(graph.nodes, set(nodes)))
        found = [graph.nodes[node] for node in nodes]
        plain = all(node.op in ("parameter", "constant") for node in found)
        # Most cells use their weights as they are: nothing is to be computed then.
        self._leaves = (
            [(node.op == "parameter", str(node.attr)) for node in found]
            if plain
            else None
        )

    def values(self, arguments: Arguments, like: Tensor) -> list[Tensor]:
        """Return the nodes' values, in the dtype and on the device of ``like``."""
        if self._leaves is not None:
            return [
                (arguments.parameters if learned else arguments.constants)[name]
                for learned, name in self._leaves
            ]
        evaluator = _Evaluator(self._graph, arguments, like, None)
        evaluator.compute_weights(self._order)
        return [evaluator.weights[node] for node in self._nodes]


@dataclass(frozen=True)
class _Plan:
    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    steps: tuple[int, ...]
    traced: tuple[int, ...]
    kept: tuple[int, ...]


@lru_cache(maxsize=256)
def _plan(graph: Graph, trace: tuple[str, ...]) -> _Plan:
    traced: list[int] = []
    for name in trace:
        value = graph.value(name)
        if value is None:
            raise ValueError(f"{graph.name} has no value {name!r} to trace")
        if len(graph.nodes[value.node].shape) > 1:
            shape = shape_text(graph.nodes[value.node].shape)
            raise ValueError(
                f"{graph.name}: {name} is {shape}, made of weights: a matrix has no "
                "batch and no steps to trace"
            )
        traced.append(value.node)
    kept = tuple(dict.fromkeys([graph.output, *traced]))
    roots = {*kept, *(state.next for state in graph.states)}
    binding = bindings(graph)
    live = sorted(reachable(graph.nodes, roots))
    by_time = [tuple(i for i in live if binding[i] == time) for time in Binding]
    return _Plan(*by_time, traced=tuple(traced), kept=kept)


class _Evaluator:
    """Values of nodes: `weights` without a batch, `inputs` for all steps."""

    def __init__(
        self, graph: Graph, arguments: Arguments, like: Tensor, frozen: Frozen | None
    ):
        self._graph = graph
        self._arguments = arguments
        self._like = like
        self._frozen = frozen
        self._attrs = _attributes(graph, tuple(sorted(arguments.sizes.items())))
        self.weights: dict[int, Tensor] = {}
        self._inputs: dict[int, Tensor] = {}
        self._steps: dict[int, tuple[Tensor, ...]] = {}

    def compute_weights(self, nodes: Sequence[int]) -> None:
        """Compute nodes that hang on nothing but parameters and constants."""
        for position in nodes:
            self.weights[position] = self._value(position, -1, self._known, {})

    def compute_inputs(self, nodes: Sequence[int], given: Mapping[str, Tensor]) -> None:
        """Compute nodes that no state hangs on, for all steps at once."""
        for position in nodes:
            self._inputs[position] = self._value(position, -1, self._known, given)

    def _known(self, node: int) -> Tensor:
        return self._inputs[node] if node in self._inputs else self.weights[node]

    def step(
        self, t: int, plan: _Plan, states: Mapping[str, Tensor]
    ) -> Callable[[int], Tensor]:
        """Compute the nodes of step ``t``; return what looks a node's value up."""
        own: dict[int, Tensor] = {}

        def value(node: int) -> Tensor:
            if node in own:
                return own[node]
            return self._at(node, t) if node in self._inputs else self.weights[node]

        for position in plan.steps:
            own[position] = self._value(position, t, value, states)
        return value

    def _at(self, node: int, t: int) -> Tensor:
        # One unbind for all steps: the gradient of each index would be as long as the
        # sequence, and the backward pass quadratic in it.
        if node not in self._steps:
            self._steps[node] = self._inputs[node].unbind(0)
        return self._steps[node][t]

    def _value(
        self,
        position: int,
        t: int,
        value: Callable[[int], Tensor],
        given: Mapping[str, Tensor],
    ) -> Tensor:
        node = self._graph.nodes[position]
        attr = self._attrs[position]
        match node.op:
            case "input" | "state":
                return given[str(attr)]
            case "parameter":
                return self._arguments.parameters[str(attr)]
            case "constant":
                return self._arguments.constants[str(attr)]
            case "const" | "size":
                return self._constant(node, attr)
            case op if self._frozen is not None and self._frozen.covers(op):
                args = [value(arg) for arg in node.args]
                return self._frozen.value((position, t), op, args, attr)
            case _:
                return _row(node.op)([value(arg) for arg in node.args], attr)

    def _constant(self, node: Node, attr: Resolved) -> Tensor:
        assert isinstance(attr, float | int)
        shape = _resolved_shape(node.shape, self._arguments.sizes)
        return number(attr, shape, self._like)


def _row(op: str) -> Implementation:
    if op not in TORCH:
        raise NotImplementedError(f"{op} has no row in the reference backend")
    return TORCH[op]


@lru_cache(maxsize=1024)
def _attributes(graph: Graph, sizes: tuple[tuple[str, int], ...]) -> list[Resolved]:
    return [resolve(node.attr, dict(sizes)) for node in graph.nodes]


def resolve(attr: Attr, sizes: Mapping[str, int]) -> Resolved:
    """Return an attribute with its sizes as whole numbers."""
    if isinstance(attr, Size):
        return attr.evaluate(sizes)
    if isinstance(attr, tuple):
        return tuple(size.evaluate(sizes) for size in attr)
    return attr


def _resolved_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size.evaluate(sizes) for size in shape)


def _exactly(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a value without a batch in its shape; a row op's scalar is ``[1]``."""
    return value.expand(shape) if shape else value.reshape(())


def _full(value: Tensor, batch: torch.Size) -> Tensor:
    """Give a value that hangs on no batch, like a constant, its rows.

    Any other stays the very tensor that later nodes hang on, so that a gradient can be
    asked for at a state.
    """
    shape = (*batch, value.shape[-1] if value.dim() else 1)
    return value if value.shape == shape else value.expand(shape)


def _with_axis(value: Tensor, shape: Shape) -> Tensor:
    return value if shape else value.unsqueeze(-1)


def _without_axis(value: Tensor, shape: Shape) -> Tensor:
    return value if shape else value.squeeze(-1)
