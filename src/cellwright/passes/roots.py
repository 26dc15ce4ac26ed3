"""Where weights end and steps begin, and what nodes are called on both sides of it.

A *root* is a node that hangs on weights alone and is used by one that does not: it is
computed once a call, in torch, so whatever stands above it needs no kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

from cellwright.ir.graph import Binding, Graph, Node, bindings, reachable

LEAVES = ("input", "state", "parameter", "constant")


def node_names(graph: Graph) -> list[str]:
    """Return a name for every node, unique: its own, or its place (``%12``).

    Example:
        >>> from cellwright.cells import load
        >>> graph = load("elman").graph
        >>> [name for name in node_names(graph) if "%" not in name]
        ['x', 'h', 'W', 'U', 'b', "h'"]
    """
    own = {
        n: str(node.attr)
        for n, node in enumerate(graph.nodes)
        if node.op in LEAVES or (node.op == "size" and str(node.attr).isidentifier())
    }
    # A backward graph may give out the gradient of what has one arriving, by one name.
    taken = set(own.values())
    for value in graph.values:
        if value.node not in own and value.name not in taken:
            own[value.node] = value.name
    names: list[str] = []
    for position in range(len(graph.nodes)):
        # A leaf may be called by its place in the graph that it comes from.
        place = f"%{position}"
        while place in taken:
            place += "'"
        names.append(own.get(position, place))
    return names


def value_args(node: Node) -> tuple[int, ...]:
    """Return the arguments that a node's value is made of: a proxy lends none."""
    return node.args[:1] if node.op == "surrogate" else node.args


def made_of(graph: Graph, nodes: Iterable[int]) -> set[int]:
    """Return the nodes whose values some nodes are made of, themselves included."""
    seen: set[int] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += value_args(graph.nodes[node])
    return seen


def live_nodes(graph: Graph, wanted: Iterable[int]) -> list[int]:
    """Return what a step computes for ``wanted`` and the next states, in order."""
    return sorted(reachable(graph.nodes, {*wanted, *_nexts(graph)}))


def step_roots(graph: Graph, wanted: Iterable[int]) -> list[int]:
    """Return all roots of a step, those of its slopes too: a proxy's are among them.

    Args:
        graph: the cell.
        wanted: nodes that are asked for beside the next states.
    """
    binding = bindings(graph)
    wanted = list(wanted)
    used = {*wanted, *_nexts(graph)}
    for position in live_nodes(graph, wanted):
        if binding[position] > Binding.WEIGHTS:
            used.update(graph.nodes[position].args)
    return roots_among(graph, used)


def roots_among(graph: Graph, nodes: Iterable[int]) -> list[int]:
    """Return those nodes that hang on weights alone, plain numbers left out."""
    binding = bindings(graph)
    return [
        position
        for position in sorted(nodes)
        if binding[position] == Binding.WEIGHTS and graph.nodes[position].op != "const"
    ]


def _nexts(graph: Graph) -> list[int]:
    return [state.next for state in graph.states]


def learned(graph: Graph) -> list[bool]:
    """Return for every node whether a gradient may flow through it to anything."""
    found: list[bool] = []
    for node in graph.nodes:
        own = node.op in ("input", "state", "parameter")
        found.append(own or any(found[arg] for arg in node.args))
    return found
