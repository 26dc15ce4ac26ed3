"""The op table: everything that a node of a graph may be, one row each.

A row says how many arguments an op takes, which shape comes out and, where the op can
be computed on plain numbers, how. What an op *is* in torch, in C or in LaTeX stands in
the tables of those rooms; a test asks every table for every row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .sizes import Shape, Size, shape_text

Attr = None | str | float | int | Size | tuple[Size, ...]
Kind = Literal["leaf", "elementwise", "product", "row", "vector", "matrix", "draw"]


class ShapeRuleError(Exception):
    """Two shapes that do not go together; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Op:
    """One row of the table.

    Args:
        name: the op's name in graphs.
        arity: number of arguments; None for any number above zero.
        kind: ``leaf`` and ``draw`` rows carry their shape; for the others ``shape``
            computes it.
        shape: shapes of the arguments and the attribute to the shape of the result.
        fold: the op on plain numbers; None where folding would change the meaning.
        attr: what the node's attribute holds, in words.
    """

    name: str
    arity: int | None
    kind: Kind
    shape: Callable[[Sequence[Shape], Attr], Shape] | None = None
    fold: Callable[..., float] | None = None
    attr: str = ""


def broadcast(shapes: Sequence[Shape], _: Attr = None) -> Shape:
    """Return the common shape: scalars fill, everything else must be equal."""
    result: Shape = ()
    for shape in shapes:
        if shape and result and shape != result:
            one, other = shape_text(result), shape_text(shape)
            raise ShapeRuleError(f"{one} and {other} are different shapes")
        result = result or shape
    return result


def _matmul(shapes: Sequence[Shape], _: Attr) -> Shape:
    matrix, vector = shapes
    if len(matrix) not in (2, 3):
        raise ShapeRuleError("the left side of @ is a matrix")
    if len(vector) != 1:
        raise ShapeRuleError("the right side of @ is a vector")
    blocks = matrix[0] if len(matrix) == 3 else Size.number(1)
    rows, columns = blocks * matrix[-2], blocks * matrix[-1]
    if columns != vector[0]:
        raise ShapeRuleError(f"the matrix takes [{columns}], not {shape_text(vector)}")
    return (rows,)


def _vector(shapes: Sequence[Shape]) -> Size:
    for shape in shapes:
        if len(shape) != 1:
            raise ShapeRuleError(f"{shape_text(shape)} is no vector")
    return shapes[0][0]


def _row(shapes: Sequence[Shape], groups: Attr) -> Shape:
    length = _vector(shapes)
    if groups is None:
        return ()
    each = (length / _size(groups)).constant
    if each is not None and (each.denominator != 1 or each < 1):
        raise ShapeRuleError(f"{length} entries do not make {groups} equal groups")
    return (_size(groups),)


def _concat(shapes: Sequence[Shape], _: Attr) -> Shape:
    _vector(shapes)
    return (sum((shape[0] for shape in shapes), start=Size.number(0)),)


def _slice(shapes: Sequence[Shape], attr: Attr) -> Shape:
    _vector(shapes)
    if not (isinstance(attr, tuple) and len(attr) == 2):
        raise ShapeRuleError("a slice has a start and a length")
    return (attr[1],)


def _repeat(shapes: Sequence[Shape], times: Attr) -> Shape:
    return (_vector(shapes) * _size(times),)


def _fill(shapes: Sequence[Shape], shape: Attr) -> Shape:
    if shapes[0] or not isinstance(shape, tuple):
        raise ShapeRuleError(f"only a scalar fills, this is {shape_text(shapes[0])}")
    return shape


def _transpose(shapes: Sequence[Shape], _: Attr) -> Shape:
    (matrix,) = shapes
    if len(matrix) not in (2, 3):
        raise ShapeRuleError(f"only a matrix is turned, not {shape_text(matrix)}")
    return (*matrix[:-2], matrix[-1], matrix[-2])


def _outer(shapes: Sequence[Shape], blocks: Attr) -> Shape:
    rows, columns = _vector(shapes[:1]), _vector(shapes[1:])
    if blocks is None:
        return (rows, columns)
    count = _size(blocks)
    return (count, rows / count, columns / count)


def _size(attr: Attr) -> Size:
    if not isinstance(attr, Size):
        raise ShapeRuleError("a size is needed")
    return attr


def _sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def _softplus(v: float) -> float:
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def _log_sigmoid(v: float) -> float:
    return -_softplus(-v)


def _quotient(a: float, b: float) -> float:
    return a / b


def _negative(v: float) -> float:
    return -v


def _relu(v: float) -> float:
    return max(v, 0.0)


def _choose(m: float, a: float, b: float) -> float:
    return a if m != 0 else b


def _elementwise(name: str, arity: int, fold: Callable[..., float] | None) -> Op:
    return Op(name, arity, "elementwise", broadcast, fold)


_TABLE = (
    # Leaves. A `state` is its value before the step; a `size` is a runtime number.
    Op("const", 0, "leaf", attr="the number"),
    Op("size", 0, "leaf", attr="the size"),
    Op("input", 0, "leaf", attr="its name"),
    Op("state", 0, "leaf", attr="its name"),
    Op("parameter", 0, "leaf", attr="its name"),
    Op("constant", 0, "leaf", attr="its name"),
    # First values only: the running index of an axis, and random draws. The number
    # keeps two draws of one expression apart.
    Op("index", 0, "leaf", attr="the axis"),
    Op("uniform", 2, "draw", attr="number of the draw"),
    Op("normal", 2, "draw", attr="number of the draw"),
    Op("glorot", 0, "draw", attr="number of the draw"),
    Op("orthogonal", 0, "draw", attr="number of the draw"),
    _elementwise("add", 2, operator.add),
    _elementwise("sub", 2, operator.sub),
    _elementwise("mul", 2, operator.mul),
    _elementwise("div", 2, _quotient),
    # Not a - floor(a / b) * b, which makes 1 % 0.1 a 0: the exact rest is 0.09999....
    _elementwise("mod", 2, operator.mod),
    _elementwise("power", 2, math.pow),
    _elementwise("neg", 1, _negative),
    _elementwise("lt", 2, operator.lt),
    _elementwise("le", 2, operator.le),
    _elementwise("gt", 2, operator.gt),
    _elementwise("ge", 2, operator.ge),
    _elementwise("eq", 2, operator.eq),
    _elementwise("ne", 2, operator.ne),
    _elementwise("sigmoid", 1, _sigmoid),
    _elementwise("tanh", 1, math.tanh),
    _elementwise("relu", 1, _relu),
    _elementwise("exp", 1, math.exp),
    _elementwise("log", 1, math.log),
    _elementwise("sqrt", 1, math.sqrt),
    _elementwise("abs", 1, math.fabs),
    _elementwise("floor", 1, math.floor),
    _elementwise("sin", 1, math.sin),
    _elementwise("cos", 1, math.cos),
    _elementwise("softplus", 1, _softplus),
    _elementwise("log_sigmoid", 1, _log_sigmoid),
    _elementwise("maximum", 2, max),
    _elementwise("minimum", 2, min),
    _elementwise("where", 3, _choose),
    # The value of the first argument, the derivative of the second.
    _elementwise("surrogate", 2, None),
    Op("matmul", 2, "product", _matmul),
    Op("row_sum", 1, "row", _row, attr="number of groups, or None for one"),
    Op("row_max", 1, "row", _row, attr="number of groups, or None for one"),
    Op("concat", None, "vector", _concat),
    Op("slice", 1, "vector", _slice, attr="start and length"),
    Op("repeat", 1, "vector", _repeat, attr="how often each element stands"),
    Op("fill", 1, "vector", _fill, attr="the shape to fill"),
    # A matrix turned round, each block by itself.
    Op("transpose", 1, "matrix", _transpose),
    # Backward graphs only: what a matrix's gradient is at one step, or its blocks on
    # the diagonal.
    Op("outer", 2, "product", _outer, attr="number of blocks, or None for a matrix"),
)

OPS: dict[str, Op] = {op.name: op for op in _TABLE}

INIT_ONLY = frozenset({"index", "uniform", "normal", "glorot", "orthogonal"})
"""Ops that may stand in first values of parameters and constants, never in a step."""

BACKWARD_ONLY = frozenset({"outer"})
"""Ops that differentiation makes; no text of a cell says them."""
