"""The passes in their order: from a graph to the schedules of both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cellwright.ir.graph import Graph

from .differentiate import Backward, differentiate
from .gather import gather
from .phases import Schedule
from .residuals import recomputed
from .roots import node_names, step_roots
from .schedule import schedule


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
    grad: bool = True,
) -> Pipeline:
    """Return the schedules of a cell.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values to give out at every step.
        grad: whether there will be a backward pass.
    """
    graph = gather(graph)
    backward = _backward(graph, trace) if grad else None
    saved = {} if backward is None else _saved(graph, backward)
    traced = [value.node for name in trace if (value := graph.value(name))]
    wanted = [graph.output, *traced]
    # Whatever has a gradient, or takes part in one, is given: to the forward step too.
    roots = step_roots(graph, wanted) if grad else []
    found = schedule(graph, dict.fromkeys([*wanted, *saved.values()]), roots=roots)
    forward = Forward(found, tuple(node_names(graph)), tuple(traced), saved)
    if backward is None:
        return Pipeline(forward, None)
    return Pipeline(forward, _back(backward.graph, graph))


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


def _back(graph: Graph, forward: Graph) -> Back:
    graph = gather(graph)
    inputs = frozenset(i.name for i in forward.inputs)
    gradients = {value.name.removeprefix("d."): value.node for value in graph.values}
    outputs = [node for name, node in gradients.items() if name in inputs]
    sums = [node for name, node in gradients.items() if name not in inputs]
    found = schedule(graph, outputs, sums)
    return Back(found, tuple(node_names(graph)), gradients, inputs)
