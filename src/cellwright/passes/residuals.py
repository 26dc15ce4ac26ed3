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
    """Return the nodes that are better computed than stored.

    They are some of those that are needed, and others that these are made of.

    Args:
        graph: the cell.
        needed: forward nodes that the backward step reads.
    """
    # A state's trajectory is stored for its value before the step, and the output in
    # any case: both also say what the step made.
    free = {graph.output}
    for position in needed:
        node = graph.nodes[position]
        if node.op == "state":
            free.update(s.next for s in graph.states if s.name == node.attr)
    there = {*needed, *free}
    made = _made_of(graph, there)
    chosen: set[int] = set()
    wanted = [position for position in needed if position not in free]
    while wanted:
        position = wanted.pop()
        if position in made and position not in chosen:
            chosen.add(position)
            args = graph.nodes[position].args
            wanted += [arg for arg in args if arg not in there]
    return frozenset(chosen)


def _made_of(graph: Graph, there: Collection[int]) -> set[int]:
    """Return the nodes that are made of those that are there by elementwise ops."""
    binding = bindings(graph)
    found: set[int] = set()
    for position, node in enumerate(graph.nodes):
        if binding[position] == Binding.WEIGHTS or OPS[node.op].kind != "elementwise":
            continue
        if all(
            arg in there
            or arg in found
            or graph.nodes[arg].op in ("input", "const")
            or binding[arg] == Binding.WEIGHTS
            for arg in node.args
        ):
            found.add(position)
    return found
