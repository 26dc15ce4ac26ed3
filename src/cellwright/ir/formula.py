"""Say a node as a formula of the language, down to the names that it is made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .graph import Graph, Node

_COMPARISON, _SUM, _MATMUL, _PRODUCT, _PREFIX, _POWER, _ATOM = range(7)
"""How strongly an operation binds. A product with @ stands in parentheses beside one
with *, as the language asks for."""

_INFIX = {
    "lt": ("<", _COMPARISON),
    "le": ("<=", _COMPARISON),
    "gt": (">", _COMPARISON),
    "ge": (">=", _COMPARISON),
    "eq": ("==", _COMPARISON),
    "ne": ("!=", _COMPARISON),
    "add": ("+", _SUM),
    "sub": ("-", _SUM),
    "matmul": ("@", _MATMUL),
    "mul": ("*", _PRODUCT),
    "div": ("/", _PRODUCT),
    "mod": ("%", _PRODUCT),
    "power": ("**", _POWER),
}
_OPERANDS = {
    _SUM: (_SUM, _MATMUL),
    _MATMUL: (_PREFIX, _PREFIX),
    _COMPARISON: (_SUM, _SUM),
    _PRODUCT: (_PRODUCT, _PREFIX),
    _POWER: (_ATOM, _ATOM),
}
"""How strongly the left and the right side of a sign must bind by themselves."""

_CALLS = {"row_sum": "sum", "row_max": "max"}


def formula(
    graph: Graph, position: int, names: Sequence[str], called: Collection[int] = ()
) -> str:
    """Return what a node computes, in names and numbers.

    Args:
        graph: holds the node.
        position: of the node.
        names: of all nodes; one that begins with ``%`` has no name of its own.
        called: nodes that are called by their names, whatever these are.

    Example:
        >>> from cellwright.cells import load
        >>> from cellwright.passes.roots import node_names
        >>> graph = load("elman").graph
        >>> formula(graph, graph.output, node_names(graph))
        'tanh(W @ x + U @ h + b)'
    """
    return _Printer(graph, names, called).inner(graph.nodes[position])[0]


class _Printer:
    def __init__(self, graph: Graph, names: Sequence[str], called: Collection[int]):
        self._graph = graph
        self._names = names
        self._called = called

    def inner(self, node: Node) -> tuple[str, int]:
        """Return the text of an operation and how strongly it binds."""
        if node.op == "const":
            return f"{node.attr:g}", _ATOM
        if node.op == "size":
            plain = str(node.attr).replace("_", "").isalnum()
            return str(node.attr), _ATOM if plain else _COMPARISON
        if node.op in _INFIX:
            sign, strength = _INFIX[node.op]
            left, right = map(self._text, node.args, _OPERANDS[strength])
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
        if not name.startswith("%") or position in self._called:
            return name
        text, own = self.inner(self._graph.nodes[position])
        return text if own >= strength else f"({text})"
