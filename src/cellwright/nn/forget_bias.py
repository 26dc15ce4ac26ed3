"""Find the bias of a forget gate in any cell, by following the graph.

A gate is a forget gate when its file describes it so (``# forget gate: ...``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Size

from .errors import OptionError

_THROUGH = frozenset(
    {"sigmoid", "log_sigmoid", "exp", "tanh", "softplus", "add", "sub"}
)
"""Between a gate and its bias stand squashers, and sums that the bias is part of."""

Window = tuple[Size, Size] | None
"""Start and length of the entries of a bias that a gate uses; None for the whole."""


@dataclass(frozen=True, slots=True)
class BiasSlice:
    """Entries of a bias that belong to a forget gate.

    Args:
        parameter: the bias.
        window: which of its entries.
        carries: whether these hold the gate's value; others that are added are 0.
    """

    parameter: str
    window: Window
    carries: bool

    def fill(self, bias: Tensor, sizes: Mapping[str, int], value: float) -> None:
        """Write a gate's value, or this bias's 0 beside the one that holds it."""
        if self.window is not None:
            start, length = (size.evaluate(sizes) for size in self.window)
            bias = bias.narrow(0, start, length)
        bias.fill_(value if self.carries else 0.0)


def forget_biases(graph: Graph) -> list[BiasSlice]:
    """Return where the biases of a cell's forget gates stand; none if it names none.

    Raises:
        OptionError: when gates share biases so that no values give each its sum.

    Example:
        >>> import cellwright as cw
        >>> [b.parameter for b in forget_biases(cw.cells.load("lstm").graph)]
        ['b_f']
    """
    gates = [
        (value.name, _biases(graph, value.node, None))
        for value in graph.values
        if value.description.lower().startswith("forget gate")
    ]
    carries: dict[tuple[str, Window], bool] = {}
    # The only bias of a gate holds the value, whatever it is added to elsewhere.
    for name, parts in sorted(gates, key=lambda gate: len(gate[1])):
        for part in parts:
            if part not in carries:
                carries[part] = not any(carries.get(other) for other in parts)
        if parts and sum(carries[part] for part in parts) != 1:
            listed = ", ".join(dict.fromkeys(bias for bias, _ in parts))
            raise OptionError(
                f"{graph.name}: forget_bias is the sum of the biases of a forget gate, "
                f"and {name} shares {listed} in a way that does not allow it; set "
                "these biases yourself"
            )
    return [BiasSlice(*part, held) for part, held in carries.items()]


def _biases(graph: Graph, position: int, window: Window) -> list[tuple[str, Window]]:
    node = graph.nodes[position]
    if node.op == "parameter":
        roles = {p.name: p.role for p in graph.parameters}
        if roles[str(node.attr)] != "bias":
            return []
        # A scalar is in every entry that a split takes.
        return [(str(node.attr), window if node.shape else None)]
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
