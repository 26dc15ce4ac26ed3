"""The passes in their order: from a graph to the schedules of both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from cellwright.ir.graph import Graph, Value

from .differentiate import Backward, declared, differentiate
from .gather import gather
from .phases import Schedule
from .residuals import recomputed
from .roots import node_names, step_roots
from .schedule import schedule
from .simplify import used_only

Gradients = Literal["none", "weights", "all"]
"""Whose gradients are asked for: the lowest layer's input rarely asks for one, and each
of its products would cost as much as one of the forward step."""


@dataclass(frozen=True)
class Forward:
    """A forward step, ready for a backend.

    Args:
        schedule: of the step.
        names: of all nodes of its graph.
        traced: nodes of the values asked for, in their order.
        saved: what the backward step reads, by its name there, to the node whose array
            holds it; a state's array holds its values after the steps.
    """

    schedule: Schedule
    names: tuple[str, ...]
    traced: tuple[int, ...]
    saved: Mapping[str, int]

    @property
    def given_out(self) -> list[int]:
        """The outputs that a call gives out, each once; the others are kept for it."""
        asked = {self.schedule.graph.output, *self.traced}
        return [node for node in self.schedule.outputs if node in asked]


@dataclass(frozen=True)
class Back:
    """A backward step, ready for a backend; the rest as in `Forward`.

    Args:
        gradients: node of every gradient that leaves, by what it is the gradient of.
        inputs: those among them that are a sequence's rather than a root's.
    """

    schedule: Schedule
    names: tuple[str, ...]
    gradients: Mapping[str, int]
    inputs: frozenset[str]

    @property
    def whole(self) -> list[int]:
        """The outputs that are gradients of inputs: they are given for all steps."""
        outputs = self.schedule.outputs
        found = [n for name, n in self.gradients.items() if name in self.inputs]
        return [node for node in dict.fromkeys(found) if node in outputs]


@dataclass(frozen=True)
class Pipeline:
    """Both directions of a cell."""

    forward: Forward
    backward: Back | None


def compile_graph(
    graph: Graph,
    trace: tuple[str, ...] = (),
    gradients: Gradients = "all",
) -> Pipeline:
    """Return the schedules of a cell.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values to give out at every step.
        gradients: what the backward pass computes, beside those of the first states.
            The forward step is the same for "weights" and for "all".
    """
    graph = gather(graph)
    learns = gradients != "none"
    backward = _backward(graph, trace) if learns else None
    saved = {} if backward is None else _saved(graph, backward)
    traced = [value.node for name in trace if (value := graph.value(name))]
    wanted = [graph.output, *traced]
    # Whatever has a gradient, or takes part in one, is given: to the forward step too.
    roots = step_roots(graph, wanted) if learns else []
    found = schedule(graph, dict.fromkeys([*wanted, *saved.values()]), roots=roots)
    forward = Forward(found, tuple(node_names(graph)), tuple(traced), saved)
    if backward is None:
        return Pipeline(forward, None)
    inputs = frozenset(i.name for i in graph.inputs)
    back = backward.graph if gradients == "all" else _narrow(backward.graph, inputs)
    return Pipeline(forward, _back(back, inputs))


def _backward(graph: Graph, trace: tuple[str, ...]) -> Backward:
    plain = differentiate(graph, trace)
    anew = recomputed(graph, plain.kept.values())
    return differentiate(graph, trace, anew)


def _saved(graph: Graph, backward: Backward) -> dict[str, int]:
    nexts = {state.name: state.next for state in graph.states}
    found: dict[str, int] = {}
    for name, node in backward.kept.items():
        op = graph.nodes[node].op
        if op == "state":
            found[name] = nexts[name]
        elif op != "input":
            found[name] = node
    return found


def _narrow(graph: Graph, inputs: frozenset[str]) -> Graph:
    """Return a backward step that leaves the gradients of inputs away."""
    values = tuple(v for v in graph.values if _whose(v) not in inputs)
    output = values[0].node if values else graph.states[0].next
    return declared(used_only(replace(graph, values=values, output=output)))


def _whose(gradient: Value) -> str:
    return gradient.name.removeprefix("d.")


def _back(graph: Graph, inputs: frozenset[str]) -> Back:
    graph = gather(graph)
    gradients = {_whose(value): value.node for value in graph.values}
    outputs = [node for name, node in gradients.items() if name in inputs]
    sums = [node for name, node in gradients.items() if name not in inputs]
    found = schedule(graph, outputs, sums)
    return Back(found, tuple(node_names(graph)), gradients, inputs)
