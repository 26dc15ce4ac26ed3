"""Find the bias of a forget gate in any cell, by following the graph.

A gate is a forget gate when its file describes it so (``# forget gate: ...``).
"""

from __future__ import annotations

from dataclasses import dataclass

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Size

_THROUGH = frozenset(
    {"sigmoid", "log_sigmoid", "exp", "tanh", "softplus", "add", "sub"}
)
"""Between a gate and its bias stand squashers, and sums that the bias is part of."""


@dataclass(frozen=True, slots=True)
class BiasSlice:
    """Entries ``start`` to ``start + length`` of a bias."""

    parameter: str
    start: Size
    length: Size


def forget_biases(graph: Graph) -> list[BiasSlice]:
    """Return where the biases of a cell's forget gates stand; none if it names none.

    Example:
        >>> import cellwright as cw
        >>> [b.parameter for b in forget_biases(cw.cells.load("lstm").graph)]
        ['b_f']
    """
    gates = [
        value.node
        for value in graph.values
        if value.description.lower().startswith("forget gate")
    ]
    found = [bias for gate in gates for bias in _biases(graph, gate, None)]
    return list(dict.fromkeys(found))


def _biases(
    graph: Graph, position: int, window: tuple[Size, Size] | None
) -> list[BiasSlice]:
    node = graph.nodes[position]
    if node.op == "parameter":
        roles = {p.name: p.role for p in graph.parameters}
        if roles[str(node.attr)] != "bias":
            return []
        start, length = window or (Size.number(0), node.shape[0])
        return [BiasSlice(str(node.attr), start, length)]
    if node.op == "slice" and isinstance(node.attr, tuple):
        start, length = node.attr
        if window is not None:
            start, length = start + window[0], window[1]
        return _biases(graph, node.args[0], (start, length))
    if node.op not in _THROUGH:
        return []
    # The subtrahend would carry the bias with the wrong sign.
    args = node.args[:1] if node.op == "sub" else node.args
    return [bias for arg in args for bias in _biases(graph, arg, window)]
