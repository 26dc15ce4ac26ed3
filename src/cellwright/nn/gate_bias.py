"""Find the bias of a gate in any cell, by following the graph.

A gate is what its file describes it as (``# forget gate: ...``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Size

from .errors import OptionError

FORGET = "forget gate"
INPUT = "input gate"
_THROUGH = frozenset(
    {"sigmoid", "log_sigmoid", "exp", "tanh", "softplus", "add", "sub"}
)
"""Between a gate and its bias stand squashers, and sums that the bias is part of."""

Window = tuple[Size, Size] | None
"""Start and length of the entries of a bias that a gate uses; None for the whole."""


@dataclass(frozen=True, slots=True)
class BiasSlice:
    """Entries of a bias that belong to a gate.

    Args:
        parameter: the bias.
        window: which of its entries.
        carries: whether these hold the gate's value; others that are added are 0.
    """

    parameter: str
    window: Window
    carries: bool

    def fill(self, bias: Tensor, sizes: Mapping[str, int], value: Tensor) -> None:
        """Write a gate's value, or this bias's 0 beside the one that holds it."""
        if self.window is not None:
            start, length = (size.evaluate(sizes) for size in self.window)
            bias = bias.narrow(0, start, length)
        bias.copy_(value if self.carries else value.new_zeros(()))

    def shape(self, graph: Graph, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of these entries."""
        if self.window is not None:
            return (self.window[1].evaluate(sizes),)
        row = next(p for p in graph.parameters if p.name == self.parameter)
        return tuple(size.evaluate(sizes) for size in row.shape)

    def overlaps(self, other: BiasSlice) -> bool:
        """Whether an entry may belong to both."""
        same = self.window == other.window or None in (self.window, other.window)
        return self.parameter == other.parameter and same


def gate_biases(graph: Graph, kind: str, option: str) -> dict[str, list[BiasSlice]]:
    """Return by name where the biases of a cell's gates of a kind stand.

    Args:
        graph: the cell.
        kind: what the description of such a gate begins with.
        option: which argument asks, for messages.

    Raises:
        OptionError: when gates share biases so that no values give each its sum.

    Example:
        >>> import cellwright as cw
        >>> found = gate_biases(cw.cells.load("lstm").graph, FORGET, "forget_bias")
        >>> [(gate, bias.parameter) for gate, (bias,) in found.items()]
        [('f', 'b_f')]
    """
    gates = {
        value.name: _biases(graph, value.node, None)
        for value in graph.values
        if value.description.lower().startswith(kind)
    }
    carries: dict[tuple[str, Window], bool] = {}
    # The only bias of a gate holds the value, whatever it is added to elsewhere.
    for name, parts in sorted(gates.items(), key=lambda gate: len(gate[1])):
        for part in parts:
            if part not in carries:
                carries[part] = not any(carries.get(other) for other in parts)
        if parts and sum(carries[part] for part in parts) != 1:
            listed = ", ".join(dict.fromkeys(bias for bias, _ in parts))
            article = "an" if kind[0] in "aeiou" else "a"
            raise OptionError(
                f"{graph.name}: {option} is the sum of the biases of {article} {kind}, "
                f"and {name} shares {listed} in a way that does not allow it; set "
                "these biases yourself"
            )
    return {
        name: [BiasSlice(*part, carries[part]) for part in dict.fromkeys(parts)]
        for name, parts in gates.items()
    }


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
