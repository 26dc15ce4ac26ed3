"""Drop what nothing uses. Equal nodes are shared, and known ones folded, when built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellwright.ir.graph import Graph, Node, reachable


def used_only(graph: Graph) -> Graph:
    """Return a graph with the nodes that its roots depend on, in their old order."""
    kept = sorted(reachable(graph.nodes, set(asked_for(graph))))
    place = {old: new for new, old in enumerate(kept)}
    nodes = [moved(graph.nodes[old], place) for old in kept]
    return with_nodes(graph, nodes, place)


def without_first_weights(graph: Graph) -> Graph:
    """Return a graph that does not say how its weights and biases begin.

    A step is given them, so cells that differ only there are one cell to a kernel.
    """
    parameters = tuple(replace(p, init=None) for p in graph.parameters)
    return used_only(replace(graph, parameters=parameters))


def asked_for(graph: Graph) -> list[int]:
    """Return the nodes that a graph names: its output, values, states, first values."""
    named = [graph.output, *(value.node for value in graph.values)]
    for state in graph.states:
        named += (state.first, state.next)
    rows = (*graph.parameters, *graph.constants)
    return named + [row.init for row in rows if row.init is not None]


def moved(node: Node, place: Mapping[int, int] | Sequence[int]) -> Node:
    """Return a node whose arguments stand elsewhere now."""
    return replace(node, args=tuple(place[arg] for arg in node.args))


def with_nodes(
    graph: Graph, nodes: Sequence[Node], place: Mapping[int, int] | Sequence[int]
) -> Graph:
    """Return the graph with other nodes.

    Args:
        graph: names some of its nodes.
        nodes: the new ones.
        place: where among them each node that is named stands now.
    """
    return replace(
        graph,
        nodes=tuple(nodes),
        states=tuple(
            replace(s, first=place[s.first], next=place[s.next]) for s in graph.states
        ),
        parameters=tuple(
            replace(p, init=None if p.init is None else place[p.init])
            for p in graph.parameters
        ),
        constants=tuple(replace(c, init=place[c.init]) for c in graph.constants),
        values=tuple(replace(v, node=place[v.node]) for v in graph.values),
        output=place[graph.output],
    )
