"""Choose what the forward pass keeps for the backward one, and what is computed anew.

A stored value costs a write, a read and memory for every step; an elementwise op costs
a few instructions in a loop that waits for memory. So whatever the backward step can
make, elementwise, from values that are there anyway is not stored, unless that takes
more functions than are as quick as a value from the third cache.
"""

from __future__ import annotations

from collections.abc import Collection

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.ops import OPS

MOST = 2
"""Functions that take the place of one array."""
FUNCTIONS = {
    "abs": 0,
    "floor": 0,
    "maximum": 0,
    "minimum": 0,
    "relu": 0,
    "exp": 1,
    "log": 1,
    "mod": 1,
    "power": 1,  # whole ones, as nearly all are
    "sigmoid": 1,
    "sqrt": 1,
    "tanh": 1,
    "softplus": 2,
    "log_sigmoid": 2,
    # Number by number, by the C library.
    "sin": MOST + 1,
    "cos": MOST + 1,
}
"""How many functions an op is; arithmetic and comparisons are none."""


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


def _made_of(graph: Graph, there: Collection[int]) -> Collection[int]:
    """Return the nodes that are made of those that are there by elementwise ops."""
    binding = bindings(graph)
    # What a node takes; one that two others hang on counts for each of them.
    functions: dict[int, int] = {}
    for position, node in enumerate(graph.nodes):
        if binding[position] == Binding.WEIGHTS or OPS[node.op].kind != "elementwise":
            continue
        below = {arg for arg in node.args if arg not in there}
        if all(
            arg in functions
            or graph.nodes[arg].op in ("input", "const")
            or binding[arg] == Binding.WEIGHTS
            for arg in below
        ):
            more = sum(functions.get(arg, 0) for arg in below)
            if (count := FUNCTIONS.get(node.op, 0) + more) <= MOST:
                functions[position] = count
    return functions
