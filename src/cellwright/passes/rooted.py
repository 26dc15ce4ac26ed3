"""Cut a graph off above its roots: what hangs on weights alone becomes a leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Graph, Parameter
from cellwright.ir.verify import verify

from .simplify import used_only, with_nodes


def rooted(graph: Graph, roots: Sequence[int], names: Sequence[str]) -> Graph:
    """Return the graph as a function of its roots.

    Args:
        graph: the cell.
        roots: nodes that become parameters.
        names: of all nodes; the parameters get those of their roots.
    """
    b = Builder(fold=False)
    place: list[int] = []
    # A value that the step does not compute may hang on weights that are no roots.
    whole: list[bool] = []
    for position, node in enumerate(graph.nodes):
        own = node.op not in ("parameter", "constant")
        parts = own and all(whole[arg] for arg in node.args)
        whole.append(position in roots or parts)
        if position in roots:
            place.append(b.leaf("parameter", names[position], node.shape))
        else:
            place.append(b.copy(node, *(place[arg] for arg in node.args)))
    zeros = {s.name: b.const(0, s.shape) for s in graph.states}
    known = replace(graph, values=tuple(v for v in graph.values if whole[v.node]))
    cut = with_nodes(known, b.nodes, place)
    cut = replace(
        cut,
        states=tuple(replace(s, first=zeros[s.name]) for s in cut.states),
        parameters=tuple(
            Parameter(names[root], graph.nodes[root].shape, "weight") for root in roots
        ),
        constants=(),
    )
    return verify(used_only(cut))
