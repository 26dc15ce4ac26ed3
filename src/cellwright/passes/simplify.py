"""Drop what nothing uses. Equal nodes are shared, and known ones folded, when built."""

from __future__ import annotations

from dataclasses import replace

from cellwright.ir.graph import Graph, Node, reachable


def used_only(graph: Graph) -> Graph:
    """Return a graph with the nodes that its roots depend on, in their old order."""
    roots = {graph.output}
    roots.update(value.node for value in graph.values)
    for state in graph.states:
        roots.update((state.first, state.next))
    for row in (*graph.parameters, *graph.constants):
        if row.init is not None:
            roots.add(row.init)
    kept = sorted(reachable(graph.nodes, roots))
    place = {old: new for new, old in enumerate(kept)}

    def moved(node: Node) -> Node:
        return replace(node, args=tuple(place[arg] for arg in node.args))

    return replace(
        graph,
        nodes=tuple(moved(graph.nodes[old]) for old in kept),
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
