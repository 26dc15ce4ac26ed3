"""The functions of the language, one row each; the documentation is made from them.

An elementwise row is an op of the graph. A composite is spelled out in primitives here
and nowhere else: it needs no derivative, no C and no LaTeX of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from cellwright.ir.builder import Builder
from cellwright.ir.sizes import Size

Kind = Literal["elementwise", "row", "vector", "matrix", "gradient", "draw"]
Apply = Callable[[Builder, Sequence[int], Sequence[Size]], int]

LAYER_NORM_EPS = 1e-5
"""torch.nn.LayerNorm's default."""


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the table.

    Args:
        signature: as it is written; arguments called ``n`` are whole numbers or sizes,
            those with ``=`` may be left out, ``...`` takes any number more.
        meaning: one sentence for people.
        apply: nodes of the arguments, and sizes, to the node of the result; None for
            `split` and the draws, which need more than their arguments.
        composite: made of other functions.
    """

    signature: str
    kind: Kind
    meaning: str
    apply: Apply | None = None
    composite: bool = False

    @property
    def name(self) -> str:
        """The name that is called."""
        return self.signature.partition("(")[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of the signature as they are written."""
        inner = self.signature.partition("(")[2].removesuffix(")")
        return tuple(inner.split(", ")) if inner else ()

    @property
    def values(self) -> tuple[int, float]:
        """The least and the greatest number of arguments that are values."""
        names = [a for a in self.arguments if not _is_size(a) and a != "..."]
        more = "..." in self.arguments and not any(map(_is_size, self.arguments))
        return len(names), float("inf") if more else len(names)

    @property
    def size_arguments(self) -> tuple[int, float]:
        """The least and the greatest number of arguments that are sizes."""
        names = [a for a in self.arguments if _is_size(a)]
        least = len([a for a in names if "=" not in a and "..." not in self.arguments])
        more = "..." in self.arguments and bool(names)
        return least, float("inf") if more else len(names)


def _is_size(argument: str) -> bool:
    return re.match(r"n\d?\b", argument) is not None


def _op(name: str) -> Apply:
    return lambda b, values, sizes: b.op(name, *values)


def _elementwise(signature: str, meaning: str) -> Function:
    name = signature.partition("(")[0]
    return Function(signature, "elementwise", meaning, _op(name))


def _groups(sizes: Sequence[Size]) -> Size | None:
    return sizes[0] if sizes else None


def _sum(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    return b.op("row_sum", values[0], attr=_groups(sizes))


def _max(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    return b.op("row_max", values[0], attr=_groups(sizes))


def _group_length(b: Builder, vector: int, sizes: Sequence[Size]) -> Size:
    length = b.shape(vector)[0]
    return length / sizes[0] if sizes else length


def _spread(b: Builder, row: int, vector: int, sizes: Sequence[Size]) -> int:
    """Give every element of ``vector`` its group's entry of ``row``."""
    if not sizes:
        return row
    return b.op("repeat", row, attr=_group_length(b, vector, sizes))


def _mean(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    total = _sum(b, values, sizes)
    length = _group_length(b, values[0], sizes)
    return b.op("div", total, b.leaf("size", length, ()))


def _layer_norm(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    (v,) = values
    centred = b.op("sub", v, _spread(b, _mean(b, values, sizes), v, sizes))
    variance = _mean(b, [b.op("mul", centred, centred)], sizes)
    deviation = b.op("sqrt", b.op("add", variance, b.const(LAYER_NORM_EPS)))
    # One division a group, not one an entry.
    scale = b.op("div", b.const(1), deviation)
    return b.op("mul", centred, _spread(b, scale, v, sizes))


def _softmax(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    (v,) = values
    # The largest entry only keeps exp in range: no gradient goes through it.
    largest = b.op("surrogate", _max(b, values, sizes), b.const(0))
    raised = b.op("exp", b.op("sub", v, _spread(b, largest, v, sizes)))
    return b.op("div", raised, _spread(b, _sum(b, [raised], sizes), v, sizes))


def _silu(b: Builder, values: Sequence[int], _: Sequence[Size]) -> int:
    return b.op("mul", values[0], b.op("sigmoid", values[0]))


def _clip(b: Builder, values: Sequence[int], _: Sequence[Size]) -> int:
    v, low, high = values
    return b.op("minimum", b.op("maximum", v, low), high)


def _hard_sigmoid(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    line = b.op("add", b.op("div", values[0], b.const(6)), b.const(0.5))
    return _clip(b, [line, b.const(0), b.const(1)], sizes)


def _stop_gradient(b: Builder, values: Sequence[int], _: Sequence[Size]) -> int:
    return b.op("surrogate", values[0], b.const(0))


def _repeat(b: Builder, values: Sequence[int], sizes: Sequence[Size]) -> int:
    return b.op("repeat", values[0], attr=sizes[0])


_TABLE = (
    _elementwise("sigmoid(v)", "1 / (1 + exp(-v))"),
    _elementwise("tanh(v)", "hyperbolic tangent"),
    _elementwise("relu(v)", "v where v > 0, else 0; its slope at 0 is 0"),
    _elementwise("exp(v)", "exponential"),
    _elementwise("log(v)", "natural logarithm"),
    _elementwise("sqrt(v)", "square root"),
    _elementwise("abs(v)", "absolute value; its slope at 0 is 0"),
    _elementwise("floor(v)", "largest whole number not above v; its slope is 0"),
    _elementwise("sin(v)", "sine"),
    _elementwise("cos(v)", "cosine"),
    _elementwise("softplus(v)", "log(1 + exp(v)), without overflow"),
    _elementwise("log_sigmoid(v)", "log(sigmoid(v)), without overflow"),
    _elementwise("maximum(a, b)", "the larger; a tie shares the gradient equally"),
    _elementwise("minimum(a, b)", "the smaller; a tie shares the gradient equally"),
    _elementwise("where(m, a, b)", "a where m is not 0, else b"),
    Function("silu(v)", "elementwise", "v * sigmoid(v)", _silu, True),
    Function(
        "clip(v, low, high)",
        "elementwise",
        "minimum(maximum(v, low), high)",
        _clip,
        True,
    ),
    Function(
        "hard_sigmoid(v)", "elementwise", "clip(v / 6 + 0.5, 0, 1)", _hard_sigmoid, True
    ),
    Function("sum(v, n=1)", "row", "sum of each of n equal groups", _sum),
    Function("mean(v, n=1)", "row", "mean of each of n equal groups", _mean, True),
    Function("max(v, n=1)", "row", "largest entry of each of n equal groups", _max),
    Function(
        "layer_norm(v, n=1)",
        "row",
        "each of n equal groups less its mean, over sqrt(variance + 1e-5)",
        _layer_norm,
        True,
    ),
    Function(
        "softmax(v, n=1)",
        "row",
        "exp(v) over its sum, in each of n equal groups",
        _softmax,
        True,
    ),
    Function(
        "concat(a, b, ...)", "vector", "one vector after the other", _op("concat")
    ),
    Function(
        "split(v, n1, n2, ...)",
        "vector",
        "the parts of v, one for each name on the left: equal ones, or of these sizes",
    ),
    Function("repeat(v, n)", "vector", "every entry n times, neighbours", _repeat),
    Function(
        "transpose(M)",
        "matrix",
        "the matrix with rows and columns exchanged; of three sizes, each block",
        _op("transpose"),
    ),
    Function("stop_gradient(v)", "gradient", "v, as a constant", _stop_gradient, True),
    Function(
        "surrogate(value, proxy)",
        "gradient",
        "the value of the first, the gradient of the second",
        _op("surrogate"),
    ),
    Function("uniform(a, b)", "draw", "drawn evenly between a and b"),
    Function("normal(m, s)", "draw", "drawn from a normal of mean m and deviation s"),
    Function("glorot", "draw", "torch.nn.init.xavier_uniform_"),
    Function("orthogonal", "draw", "torch.nn.init.orthogonal_"),
)

FUNCTIONS: dict[str, Function] = {row.name: row for row in _TABLE}
