"""Choose what the forward pass keeps for the backward one, and what is computed anew.

A stored value costs a write, a read and memory for every step; an elementwise op costs
a few instructions in a loop that waits for memory. So whatever the backward step can
make, elementwise, from values that are there anyway is not stored.
"""

from __future__ import annotations

from collections.abc import Collection

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.ops import OPS


def recomputed(graph: Graph, needed: Collection[int]) -> frozenset[int]:
    """Return the nodes among ``needed`` that are better computed than stored.

    Args:
        graph: the cell.
        needed: forward nodes that the backward step reads.
    """
    binding = bindings(graph)
    # A state's trajectory is stored for its value before the step, and the output in
    # any case: both also say what the step made.
    free = {graph.output}
    for position in needed:
        node = graph.nodes[position]
        if node.op == "state":
            free.update(s.next for s in graph.states if s.name == node.attr)
    there = {*needed, *free}
    chosen: set[int] = set()
    for position in sorted(needed, reverse=True):
        node = graph.nodes[position]
        if position in free or OPS[node.op].kind != "elementwise":
            continue
        if all(
            arg in there
            or graph.nodes[arg].op in ("input", "const")
            or binding[arg] == Binding.WEIGHTS
            for arg in node.args
        ):
            chosen.add(position)
    return frozenset(chosen)
