"""Build graphs: equal nodes are shared, and what is known now is computed now.

The rules are those of the language: constants fold in float64; a literal 0 annihilates
a product (``0 * v`` is 0 whatever v is), 0 and 1 are neutral; a `where` on a known
condition takes its side. That is what lets ``p_i = 0`` remove a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .graph import Binding, Node, binding_of
from .ops import OPS, Attr, ShapeRuleError
from .sizes import Shape, SizeError


class Builder:
    """A growing list of nodes.

    Args:
        fold: apply the rules above; without it every node is built as written, which
            is what tests compare the folded graph with.

    Example:
        >>> b = Builder()
        >>> v = b.leaf("input", "x", shape=())
        >>> b.op("mul", b.const(1), v) == v
        True
    """

    def __init__(self, fold: bool = True):
        self.nodes: list[Node] = []
        self._fold = fold
        self._bindings: list[Binding] = []
        self._known: dict[Node, int] = {}
        self._draws = 0

    def shape(self, node: int) -> Shape:
        """Return the shape of a node."""
        return self.nodes[node].shape

    def binding(self, node: int) -> Binding:
        """Return the binding time of a node."""
        return self._bindings[node]

    def const(self, value: float, shape: Shape = ()) -> int:
        """Return the node of a number; with a shape, the number everywhere in it."""
        return self._add(Node("const", (), shape, value + 0.0))  # -0.0 becomes 0.0

    def value(self, node: int) -> float | None:
        """Return the number that a node is known to be, else None."""
        attr = self.nodes[node].attr
        is_const = self.nodes[node].op == "const"
        return attr if is_const and isinstance(attr, float) else None

    def leaf(self, op: str, attr: Attr, shape: Shape) -> int:
        """Return a node without arguments: an input, a size, an index and the like."""
        return self._add(Node(op, (), shape, attr))

    def copy(self, node: Node, *args: int) -> int:
        """Return a node of another graph, as it is, on arguments of this one."""
        return self._add(Node(node.op, args, node.shape, node.attr))

    def draw(self, op: str, *args: int, shape: Shape) -> int:
        """Return a random draw of the given shape, different from every other."""
        self._draws += 1
        return self._add(Node(op, args, shape, self._draws))

    def fill(self, node: int, shape: Shape) -> int:
        """Return ``node`` in ``shape``: itself, or the scalar in every entry.

        Raises:
            ShapeRuleError: when ``node`` is neither a scalar nor of that shape.
        """
        if self.shape(node) == shape:
            return node
        value = self.value(node)
        if value is not None and not self.shape(node):
            return self.const(value, shape)
        return self.op("fill", node, attr=shape)

    def op(self, name: str, *args: int, attr: Attr = None) -> int:
        """Return the node of ``name`` applied to ``args``.

        Raises:
            ShapeRuleError: when the shapes do not go together.
        """
        row = OPS[name]
        if row.arity is not None and len(args) != row.arity:
            raise ShapeRuleError(f"{name} takes {row.arity} arguments, got {len(args)}")
        if row.shape is None:
            raise ShapeRuleError(f"{name} is a leaf")
        try:
            shape = row.shape([self.shape(arg) for arg in args], attr)
        except SizeError as fault:
            raise ShapeRuleError(str(fault)) from fault
        if self._fold:
            known = self._folded(name, args, shape)
            if known is not None:
                return known
        return self._add(Node(name, args, shape, attr))

    def _add(self, node: Node) -> int:
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = len(self.nodes)
            self.nodes.append(node)
            self._bindings.append(binding_of(node, self._bindings))
        return found

    def _folded(self, name: str, args: tuple[int, ...], shape: Shape) -> int | None:
        number = self._computed(name, args)
        if number is not None:
            return self.const(number, shape)
        rule = _RULES.get(name)
        known = rule(self, args, shape) if rule else None
        if known is None and shape and OPS[name].kind == "elementwise":
            return self._same_in_every_entry(name, args, shape)
        return known

    def _same_in_every_entry(
        self, name: str, args: tuple[int, ...], shape: Shape
    ) -> int | None:
        """Return what is computed once, and fills a vector, if all arguments do."""
        if not any(self.nodes[arg].op == "fill" for arg in args):
            return None
        inner: list[int] = []
        for arg in args:
            value, node = self.value(arg), self.nodes[arg]
            arg = node.args[0] if node.op == "fill" else arg
            inner.append(arg if value is None else self.const(value))
        if any(self.shape(arg) for arg in inner):
            return None
        return self.fill(self.op(name, *inner), shape)

    def _computed(self, name: str, args: tuple[int, ...]) -> float | None:
        fold = OPS[name].fold
        values = [self.value(arg) for arg in args]
        if fold is None or not values or any(value is None for value in values):
            return None
        try:
            number = fold(*values)
        except (ArithmeticError, ValueError):
            return None  # 1 / 0, log(-1), 9**9**9: left to run time and its infinities
        # What overflows is left to run time; an infinity that was written is a number.
        exact = math.isfinite(number) or (
            math.isinf(number) and any(map(math.isinf, filter(None, values)))
        )
        return number if exact else None


Rule = Callable[[Builder, tuple[int, ...], Shape], int | None]


def _add(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    for one, other in (args, args[::-1]):
        if b.value(one) == 0:
            return b.fill(other, shape)
    return None


def _sub(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    if b.value(args[1]) == 0:
        return b.fill(args[0], shape)
    return b.fill(b.op("neg", args[1]), shape) if b.value(args[0]) == 0 else None


def _mul(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    for one, other in (args, args[::-1]):
        if b.value(one) == 0:
            return b.const(0, shape)
        if b.value(one) == 1:
            return b.fill(other, shape)
    return None


def _div(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    if b.value(args[0]) == 0 and b.value(args[1]) != 0:
        return b.const(0, shape)
    return b.fill(args[0], shape) if b.value(args[1]) == 1 else None


def _power(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    if b.value(args[1]) == 0:
        return b.const(1, shape)
    return b.fill(args[0], shape) if b.value(args[1]) == 1 else None


def _neg(b: Builder, args: tuple[int, ...], _: Shape) -> int | None:
    inner = b.nodes[args[0]]
    return inner.args[0] if inner.op == "neg" else None


def _where(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    condition, yes, no = args
    value = b.value(condition)
    if value is not None:
        return b.fill(yes if value != 0 else no, shape)
    return b.fill(yes, shape) if yes == no else None


def _matmul(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    return b.const(0, shape) if 0 in map(b.value, args) else None


def _row_sum(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    return b.const(0, shape) if b.value(args[0]) == 0 else None


def _same_everywhere(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    values = {b.value(arg) for arg in args}
    value = values.pop()
    return b.const(value, shape) if value is not None and not values else None


def _slice(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    whole = b.nodes[args[0]]
    if whole.op == "fill":
        return b.fill(whole.args[0], shape)
    return _same_everywhere(b, args, shape)


def _transpose(b: Builder, args: tuple[int, ...], shape: Shape) -> int | None:
    inner = b.nodes[args[0]]
    if inner.op == "transpose":
        return inner.args[0]
    return _same_everywhere(b, args, shape)


_RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "power": _power,
    "neg": _neg,
    "where": _where,
    "matmul": _matmul,
    "row_sum": _row_sum,
    "row_max": _same_everywhere,
    "concat": _same_everywhere,
    "slice": _slice,
    "repeat": _same_everywhere,
    "fill": _same_everywhere,
    "transpose": _transpose,
}
