"""The backward step of a cell: a graph like any other, derived from the forward one.

Its states are the adjoints of the cell's states, its inputs what the forward pass kept
and the gradients that arrive, its values the gradients that leave, one step's share
each. It is run from the last step to the first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cellwright.ir.builder import Builder
from cellwright.ir.graph import (
    Binding,
    Graph,
    Input,
    Parameter,
    State,
    Value,
    bindings,
)
from cellwright.ir.sizes import ZERO, Shape, Size
from cellwright.ir.verify import verify

from .derivatives import DERIVATIVES, Site, total
from .roots import learned, live_nodes, node_names, step_roots
from .simplify import used_only


@dataclass(frozen=True)
class Backward:
    """A backward step and what it asks of the forward one.

    Args:
        graph: the step. Its inputs are forward values by their names (a state's is its
            value before the step), and arriving gradients as ``d.`` and a name.
        kept: the forward nodes among its inputs, by name.
    """

    graph: Graph
    kept: dict[str, int]


OUTPUT = "d.output"
"""The backward graph's input that holds the gradient of the output."""


def differentiate(
    graph: Graph,
    trace: Sequence[str] = (),
    recomputed: Collection[int] = (),
) -> Backward:
    """Return the backward step of a graph.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values whose gradients arrive too.
        recomputed: nodes that the backward step computes anew from others.
    """
    sweep = _Sweep(graph, frozenset(recomputed))
    for state in graph.states:
        adjoint = sweep.b.leaf("state", f"d.{state.name}", state.shape)
        sweep.add(state.next, adjoint)
    sweep.add(graph.output, sweep.b.leaf("input", OUTPUT, graph.output_shape))
    traced = [_traced(graph, name) for name in trace]
    for name, node in zip(trace, traced, strict=True):
        gradient = sweep.b.leaf("input", f"d.{name}", graph.nodes[node].shape)
        sweep.add(node, gradient)
    live = live_nodes(graph, [graph.output, *traced])
    binding = bindings(graph)
    needed = learned(graph)
    for position in reversed(live):
        if binding[position] > Binding.WEIGHTS and needed[position]:
            sweep.visit(position)
    roots = step_roots(graph, [graph.output, *traced])
    return sweep.finish([root for root in roots if needed[root]])


def _traced(graph: Graph, name: str) -> int:
    value = graph.value(name)
    assert value is not None, name
    return value.node


@dataclass
class _Sweep:
    """Gradients of forward nodes, collected from the last node to the first."""

    graph: Graph
    recomputed: frozenset[int]
    b: Builder = field(default_factory=Builder)
    sums: dict[int, int] = field(default_factory=dict[int, int])
    slices: dict[int, list[tuple[Size, Size, int]]] = field(
        default_factory=dict[int, "list[tuple[Size, Size, int]]"]
    )

    # Forward nodes that are there already, and what they are here.
    found: dict[int, int] = field(default_factory=dict[int, int])

    def __post_init__(self) -> None:
        self.names = node_names(self.graph)
        self.binding = bindings(self.graph)
        self.learned = learned(self.graph)

    def add(self, position: int, gradient: int) -> None:
        """Add a gradient to what has come back to a node."""
        if not self.learned[position] or self.b.value(gradient) == 0:
            return
        gradient = self._reduced(gradient, self.graph.nodes[position].shape)
        if position in self.sums:
            gradient = self.b.op("add", self.sums[position], gradient)
        self.sums[position] = gradient

    def visit(self, position: int) -> None:
        """Hand the gradient of a node back to its arguments."""
        gradient = self.gradient(position)
        node = self.graph.nodes[position]
        if gradient is None or not node.args:
            return
        if node.op == "slice":
            assert isinstance(node.attr, tuple)
            start, length = node.attr
            self.slices.setdefault(node.args[0], []).append((start, length, gradient))
            return
        shapes = [self.graph.nodes[arg].shape for arg in node.args]
        site = Site(
            self.b,
            node,
            shapes,
            lambda which: self.forward(node.args[which]),
            lambda: self.forward(position),
        )
        for arg, part in zip(
            node.args, DERIVATIVES[node.op](site, gradient), strict=True
        ):
            if part is not None:
                self.add(arg, part)

    def gradient(self, position: int) -> int | None:
        """Return all that has come back to a node, its slices put together."""
        slices = self.slices.pop(position, [])
        if slices:
            length = self.graph.nodes[position].shape[0]
            for whole in joined(self.b, slices, length):
                self.add(position, whole)
        return self.sums.get(position)

    def forward(self, position: int) -> int:
        """Return a forward node's value in the backward graph."""
        if position not in self.found:
            self.found[position] = self._forward(position)
        return self.found[position]

    def _forward(self, position: int) -> int:
        node = self.graph.nodes[position]
        if node.op == "const":
            return self.b.const(float(str(node.attr)), node.shape)
        if self.binding[position] == Binding.WEIGHTS:
            return self.b.leaf("parameter", self.names[position], node.shape)
        if position in self.recomputed:
            args = [self.forward(arg) for arg in node.args]
            return self.b.op(node.op, *args, attr=node.attr)
        return self.b.leaf("input", self.names[position], node.shape)

    def finish(self, roots: Sequence[int]) -> Backward:
        """Return the graph of everything that was asked for."""
        values: list[Value] = []
        leaves = [
            (position, node.shape)
            for position, node in enumerate(self.graph.nodes)
            if node.op == "input" and self.learned[position]
        ]
        for position, shape in [*leaves, *((r, self._shape(r)) for r in roots)]:
            value = self._or_zero(self.gradient(position), shape)
            values.append(Value(f"d.{self.names[position]}", value))
        states: list[State] = []
        for state in self.graph.states:
            leaf = self._leaf(state)
            found = None if leaf is None else self.gradient(leaf)
            first = self.b.const(0, state.shape)
            after = self._or_zero(found, state.shape)
            states.append(State(f"d.{state.name}", state.shape, first, after))
        graph = Graph(
            name=f"{self.graph.name}.backward",
            nodes=tuple(self.b.nodes),
            sizes=self.graph.sizes,
            counts=(),
            inputs=(),
            states=tuple(states),
            parameters=(),
            constants=(),
            values=tuple(values),
            output=values[0].node if values else states[0].next,
            whole=self.graph.whole,
        )
        graph = declared(used_only(graph))
        places = {name: place for place, name in reversed([*enumerate(self.names)])}
        kept = {i.name: places[i.name] for i in graph.inputs if i.name in places}
        return Backward(verify(graph), kept)

    def _leaf(self, state: State) -> int | None:
        wanted = ("state", state.name)
        found = (i for i, n in enumerate(self.graph.nodes) if (n.op, n.attr) == wanted)
        return next(found, None)

    def _shape(self, position: int) -> Shape:
        return self.graph.nodes[position].shape

    def _or_zero(self, node: int | None, shape: Shape) -> int:
        return self.b.const(0, shape) if node is None else self.b.fill(node, shape)

    def _reduced(self, gradient: int, shape: Shape) -> int:
        """Sum a gradient over the axis along which a scalar was broadcast."""
        if not shape and self.b.shape(gradient):
            return total(self.b, gradient)
        return self.b.fill(gradient, shape)


def joined(b: Builder, slices: list[tuple[Size, Size, int]], length: Size) -> list[int]:
    """Return gradients of slices as gradients of what was sliced.

    Slices that lie side by side from end to end become one vector; others become one
    vector each, with zeros around.
    """
    rest, row, at = list(slices), list[int](), ZERO
    while found := [part for part in rest if part[0] == at]:
        part = found[0]
        rest.remove(part)
        row.append(part[2])
        at += part[1]
    if slices and not rest and at == length:
        return [b.op("concat", *row)]
    whole: list[int] = []
    for start, each, gradient in slices:
        after = length - start - each
        before = [] if start == ZERO else [b.const(0, (start,))]
        behind = [] if after == ZERO else [b.const(0, (after,))]
        whole.append(b.op("concat", *before, gradient, *behind))
    return whole


def declared(graph: Graph) -> Graph:
    """Return the graph with a declaration of every leaf that it has."""
    inputs: list[Input] = []
    parameters: list[Parameter] = []
    for node in graph.nodes:
        if node.op == "input":
            inputs.append(Input(str(node.attr), node.shape))
        elif node.op == "parameter":
            parameters.append(Parameter(str(node.attr), node.shape, "weight"))
    return Graph(
        graph.name,
        graph.nodes,
        graph.sizes,
        graph.counts,
        tuple(inputs),
        graph.states,
        tuple(parameters),
        graph.constants,
        graph.values,
        graph.output,
        graph.whole,
    )
