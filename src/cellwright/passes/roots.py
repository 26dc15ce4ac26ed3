"""Where weights end and steps begin, and what nodes are called on both sides of it.

A *root* is a node that hangs on weights alone and is used by one that does not: it is
computed once a call, in torch, so whatever stands above it needs no kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

from cellwright.ir.graph import Binding, Graph, Node, bindings, reachable

_LEAVES = ("input", "state", "parameter", "constant")


def node_names(graph: Graph) -> list[str]:
    """Return a name for every node, unique: its own, or its place (``%12``).

    Example:
        >>> from cellwright.cells import load
        >>> graph = load("elman").graph
        >>> [name for name in node_names(graph) if "%" not in name]
        ['x', 'h', 'W', 'U', 'b', "h'"]
    """
    names = [f"%{position}" for position in range(len(graph.nodes))]
    for value in reversed(graph.values):
        names[value.node] = value.name
    for position, node in enumerate(graph.nodes):
        if node.op in _LEAVES:
            names[position] = str(node.attr)
    return names


def value_args(node: Node) -> tuple[int, ...]:
    """Return the arguments that a node's value is made of: a proxy lends none."""
    return node.args[:1] if node.op == "surrogate" else node.args


def live_nodes(graph: Graph, wanted: Iterable[int]) -> list[int]:
    """Return what a step computes for ``wanted`` and the next states, in order."""
    roots = {*wanted, *(state.next for state in graph.states)}
    return sorted(reachable(graph.nodes, roots))


def weight_roots(graph: Graph, live: Iterable[int], also: Iterable[int]) -> list[int]:
    """Return the nodes at which a step's dependence on weights begins.

    Args:
        graph: the cell.
        live: nodes that the step computes.
        also: nodes that are needed whoever uses them.

    Returns:
        Nodes that hang on weights alone, plain numbers left out.
    """
    binding = bindings(graph)
    used = set(also)
    for position in live:
        if binding[position] > Binding.WEIGHTS:
            used.update(value_args(graph.nodes[position]))
    return [
        position
        for position in sorted(used)
        if binding[position] == Binding.WEIGHTS and graph.nodes[position].op != "const"
    ]


def learned(graph: Graph) -> list[bool]:
    """Return for every node whether a gradient may flow through it to anything."""
    found: list[bool] = []
    for node in graph.nodes:
        own = node.op in ("input", "state", "parameter")
        found.append(own or any(found[arg] for arg in node.args))
    return found
