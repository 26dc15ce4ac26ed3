"""Say a node as a formula of the language, down to the names that it is made of."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import Graph, Node

_INFIX = {
    "lt": ("<", 1),
    "le": ("<=", 1),
    "gt": (">", 1),
    "ge": (">=", 1),
    "eq": ("==", 1),
    "ne": ("!=", 1),
    "add": ("+", 2),
    "sub": ("-", 2),
    "mul": ("*", 3),
    "div": ("/", 3),
    "mod": ("%", 3),
    "matmul": ("@", 3),
    "power": ("**", 5),
}
_PREFIX = 4
_ATOM = 6
_CALLS = {"row_sum": "sum", "row_max": "max"}


def formula(graph: Graph, position: int, names: Sequence[str]) -> str:
    """Return what a node computes, in names and numbers.

    Args:
        graph: holds the node.
        position: of the node.
        names: of all nodes; one that begins with ``%`` has no name of its own.

    Example:
        >>> from cellwright.cells import load
        >>> from cellwright.passes.roots import node_names
        >>> graph = load("elman").graph
        >>> formula(graph, graph.output, node_names(graph))
        'tanh(W @ x + U @ h + b)'
    """
    return _Printer(graph, names).inner(graph.nodes[position])[0]


class _Printer:
    def __init__(self, graph: Graph, names: Sequence[str]):
        self._graph = graph
        self._names = names

    def inner(self, node: Node) -> tuple[str, int]:
        """Return the text of an operation and how strongly it binds."""
        if node.op in ("const", "size"):
            return f"{node.attr:g}" if node.op == "const" else str(node.attr), _ATOM
        if node.op in _INFIX:
            sign, strength = _INFIX[node.op]
            one, other = node.args
            # A product with @ and one with * are never of equal strength to a reader.
            left = self._text(one, strength + (node.op == "matmul"))
            right = self._text(other, strength + 1)
            return f"{left} {sign} {right}", strength
        if node.op == "neg":
            return f"-{self._text(node.args[0], _PREFIX)}", _PREFIX
        parts = [self._text(arg, 0) for arg in node.args]
        if node.attr is not None and node.args:
            attrs = node.attr if isinstance(node.attr, tuple) else (node.attr,)
            parts += map(str, attrs)
        name = _CALLS.get(node.op, node.op)
        return (f"{name}({', '.join(parts)})" if parts else str(node.attr)), _ATOM

    def _text(self, position: int, strength: int) -> str:
        name = self._names[position]
        if not name.startswith("%"):
            return name
        text, own = self.inner(self._graph.nodes[position])
        return text if own >= strength else f"({text})"
