"""The table of derivative rows: what each op hands back to its arguments.

A row takes a `Site`, where an op stands in a graph, and the gradient of its result; it
returns one gradient an argument, None where nothing comes back. What a row asks of the
site (``s.out``, ``s[0]``) is what the backward pass needs of the forward one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Node
from cellwright.ir.ops import ShapeRuleError
from cellwright.ir.sizes import Shape, Size

Gradient = int | None


@dataclass(frozen=True, slots=True)
class Site:
    """An op of the forward graph, seen from the backward graph.

    Args:
        b: builds the backward graph.
        node: the op.
        shapes: of its arguments.
        arg: gives an argument's value in the backward graph, by its position.
        result: gives the op's own value there.
    """

    b: Builder
    node: Node
    shapes: Sequence[Shape]
    arg: Callable[[int], int]
    result: Callable[[], int]

    def __getitem__(self, which: int) -> int:
        return self.arg(which)

    @property
    def out(self) -> int:
        """The op's value."""
        return self.result()

    def op(self, name: str, *args: float) -> int:
        """Return an elementwise op of nodes and numbers."""
        nodes = [self.b.const(a) if isinstance(a, float) else a for a in args]
        return self.b.op(name, *nodes)


Row = Callable[[Site, int], Sequence[Gradient]]


def _mul(s: Site, g: int) -> Sequence[Gradient]:
    if s.node.args[0] == s.node.args[1]:
        return s.op("mul", s.op("mul", 2.0, g), s[0]), None
    return s.op("mul", g, s[1]), s.op("mul", g, s[0])


def _div(s: Site, g: int) -> Sequence[Gradient]:
    quotient = s.op("div", g, s[1])
    return quotient, s.op("neg", s.op("mul", quotient, s.op("div", s[0], s[1])))


def _mod(s: Site, g: int) -> Sequence[Gradient]:
    # The quotient of exact division: floor(1 / 0.1) is 10, and 1 % 0.1 is not 0.
    whole = s.op("div", s.op("sub", s[0], s.out), s[1])
    return g, s.op("neg", s.op("mul", g, whole))


def _power(s: Site, g: int) -> Sequence[Gradient]:
    exponent = s.b.value(s[1])
    if exponent is None:
        raise ShapeRuleError("the exponent of ** is a number")
    slope = s.op("power", s[0], exponent - 1)
    return s.op("mul", g, s.op("mul", slope, exponent)), None


def _sigmoid(s: Site, g: int) -> Sequence[Gradient]:
    slope = s.op("mul", s.out, s.op("sub", 1.0, s.out))
    return (s.op("mul", g, slope),)


def _tanh(s: Site, g: int) -> Sequence[Gradient]:
    return (s.op("mul", g, s.op("sub", 1.0, s.op("mul", s.out, s.out))),)


def _relu(s: Site, g: int) -> Sequence[Gradient]:
    return (s.op("where", s.op("gt", s.out, 0.0), g, 0.0),)


def _sqrt(s: Site, g: int) -> Sequence[Gradient]:
    return (s.op("div", g, s.op("mul", 2.0, s.out)),)


def _abs(s: Site, g: int) -> Sequence[Gradient]:
    below = s.op("where", s.op("lt", s[0], 0.0), s.op("neg", g), 0.0)
    return (s.op("where", s.op("gt", s[0], 0.0), g, below),)


def _log_sigmoid(s: Site, g: int) -> Sequence[Gradient]:
    return (s.op("mul", g, s.op("sigmoid", s.op("neg", s[0]))),)


def _extremum(chosen: str) -> Row:
    # Equality shares the gradient between both sides, as torch does.
    def row(s: Site, g: int) -> Sequence[Gradient]:
        tie = s.op("where", s.op("eq", s[0], s[1]), s.op("mul", g, 0.5), 0.0)
        one = s.op("where", s.op(chosen, s[0], s[1]), g, tie)
        return one, s.op("where", s.op(chosen, s[1], s[0]), g, tie)

    return row


def _where(s: Site, g: int) -> Sequence[Gradient]:
    return None, s.op("where", s[0], g, 0.0), s.op("where", s[0], 0.0, g)


def _matmul(s: Site, g: int) -> Sequence[Gradient]:
    matrix = s.shapes[0]
    blocks = matrix[0] if len(matrix) == 3 else None
    outer = s.b.op("outer", g, s[1], attr=blocks)
    return outer, s.b.op("matmul", s.b.op("transpose", s[0]), g)


def _spread(b: Builder, row: int, length: Size, groups: object) -> int:
    """Give every entry of a vector its group's entry of ``row``."""
    if groups is None:
        return b.fill(row, (length,))
    assert isinstance(groups, Size)
    return b.op("repeat", row, attr=length / groups)


def total(b: Builder, gradient: int, groups: Size | None = None) -> int:
    """Return the sum of a gradient, or one of each group.

    A sign stands behind the sum: it is one number's there, and a vector's ahead of it.
    """
    node = b.nodes[gradient]
    if node.op == "neg":
        return b.op("neg", b.op("row_sum", node.args[0], attr=groups))
    return b.op("row_sum", gradient, attr=groups)


def _row_sum(s: Site, g: int) -> Sequence[Gradient]:
    return (_spread(s.b, g, s.shapes[0][0], s.node.attr),)


def _row_max(s: Site, g: int) -> Sequence[Gradient]:
    length, groups = s.shapes[0][0], s.node.attr
    largest = s.op("eq", s[0], _spread(s.b, s.out, length, groups))
    share = s.op("div", g, s.b.op("row_sum", largest, attr=groups))
    spread = _spread(s.b, share, length, groups)
    return (s.op("where", largest, spread, 0.0),)


def _concat(s: Site, g: int) -> Sequence[Gradient]:
    parts: list[Gradient] = []
    start = Size.number(0)
    for (length,) in s.shapes:
        parts.append(s.b.op("slice", g, attr=(start, length)))
        start += length
    return parts


def _repeat(s: Site, g: int) -> Sequence[Gradient]:
    return (total(s.b, g, s.shapes[0][0]),)


def _fill(s: Site, g: int) -> Sequence[Gradient]:
    return (total(s.b, g),)


def _nothing(s: Site, _: int) -> Sequence[Gradient]:
    return (None,) * len(s.node.args)


DERIVATIVES: dict[str, Row] = {
    "add": lambda s, g: (g, g),
    "sub": lambda s, g: (g, s.op("neg", g)),
    "mul": _mul,
    "div": _div,
    "mod": _mod,
    "power": _power,
    "neg": lambda s, g: (s.op("neg", g),),
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "exp": lambda s, g: (s.op("mul", g, s.out),),
    "log": lambda s, g: (s.op("div", g, s[0]),),
    "sqrt": _sqrt,
    "abs": _abs,
    "sin": lambda s, g: (s.op("mul", g, s.op("cos", s[0])),),
    "cos": lambda s, g: (s.op("neg", s.op("mul", g, s.op("sin", s[0]))),),
    "softplus": lambda s, g: (s.op("mul", g, s.op("sigmoid", s[0])),),
    "log_sigmoid": _log_sigmoid,
    "maximum": _extremum("gt"),
    "minimum": _extremum("lt"),
    "where": _where,
    "surrogate": lambda s, g: (None, g),
    "matmul": _matmul,
    "row_sum": _row_sum,
    "row_max": _row_max,
    "concat": _concat,
    "repeat": _repeat,
    "fill": _fill,
    "transpose": lambda s, g: (s.b.op("transpose", g),),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne", "floor"), _nothing),
}
"""One row an op. `slice` has none: `differentiate` puts its gradients together."""
