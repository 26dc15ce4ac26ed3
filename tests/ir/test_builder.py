"""The builder's rules, each, and that fold=False builds as written."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cellwright.cells import load
from cellwright.ir.builder import Builder
from cellwright.ir.graph import Binding
from cellwright.ir.ops import OPS, ShapeRuleError
from cellwright.ir.sizes import Size
from cellwright.language.build import build
from cellwright.language.definitions import define
from cellwright.language.report import Report

N = Size.named("n")
M = Size.named("m")
Rule = Callable[[Builder, int, int], int]


def vector(b: Builder, name: str = "v") -> int:
    """Return a vector of n entries."""
    return b.leaf("input", name, (N,))


ANNIHILATING: dict[str, Rule] = {
    "0 * v": lambda b, v, w: b.op("mul", b.const(0), v),
    "v * 0": lambda b, v, w: b.op("mul", v, b.const(0)),
    "0 / v": lambda b, v, w: b.op("div", b.const(0), v),
    "0 where": lambda b, v, w: b.op("where", b.const(0), v, b.const(0)),
    "sum of 0": lambda b, v, w: b.fill(b.op("row_sum", b.const(0, (N,))), (N,)),
    "max of 0": lambda b, v, w: b.fill(b.op("row_max", b.const(0, (N,))), (N,)),
    "part of 0": lambda b, v, w: b.op("slice", b.const(0, (M,)), attr=(M, N)),
    "0 repeated": lambda b, v, w: b.op("repeat", b.const(0, (N / 2,)), attr=2 * N / N),
    "0 and 0": lambda b, v, w: b.op(
        "concat", b.const(0, (N / 2,)), b.const(0, (N / 2,))
    ),
    "U @ 0": lambda b, v, w: b.op(
        "matmul", b.leaf("parameter", "U", (N, M)), b.const(0, (M,))
    ),
    "0 @ v": lambda b, v, w: b.op("matmul", b.const(0, (N, N)), v),
}
NEUTRAL: dict[str, Rule] = {
    "v + 0": lambda b, v, w: b.op("add", v, b.const(0)),
    "0 + v": lambda b, v, w: b.op("add", b.const(0), v),
    "v - 0": lambda b, v, w: b.op("sub", v, b.const(0)),
    "1 * v": lambda b, v, w: b.op("mul", b.const(1), v),
    "v * 1": lambda b, v, w: b.op("mul", v, b.const(1)),
    "v / 1": lambda b, v, w: b.op("div", v, b.const(1)),
    "v ** 1": lambda b, v, w: b.op("power", v, b.const(1)),
    "--v": lambda b, v, w: b.op("neg", b.op("neg", v)),
    "where 1": lambda b, v, w: b.op("where", b.const(1), v, w),
    "where 0": lambda b, v, w: b.op("where", b.const(0), w, v),
    "where either": lambda b, v, w: b.op("where", w, v, v),
    "filled": lambda b, v, w: b.fill(v, (N,)),
}


@pytest.mark.parametrize("rule", ANNIHILATING)
def test_annihilated_is_zero(rule: str) -> None:
    """The result is the number 0 in the shape of the operation."""
    b = Builder()
    node = ANNIHILATING[rule](b, vector(b), vector(b, "w"))
    assert b.value(node) == 0
    assert b.shape(node) == (N,)


@pytest.mark.parametrize("rule", NEUTRAL)
def test_neutral_is_the_operand(rule: str) -> None:
    """The result is the operand's own node."""
    b = Builder()
    v = vector(b)
    assert NEUTRAL[rule](b, v, vector(b, "w")) == v


@pytest.mark.parametrize("rule", [*ANNIHILATING, *NEUTRAL])
def test_without_folding_nodes_are_as_written(rule: str) -> None:
    """fold=False leaves the operation in the graph, whatever its operands are."""
    if rule == "filled":
        return
    b = Builder(fold=False)
    v, w = vector(b), vector(b, "w")
    node = {**ANNIHILATING, **NEUTRAL}[rule](b, v, w)
    assert node not in (v, w)
    assert b.value(node) is None


def test_zero_minus_v_is_a_negation() -> None:
    """0 - v is -v."""
    b = Builder()
    v = vector(b)
    assert b.op("sub", b.const(0), v) == b.op("neg", v)


def test_neutral_scalars_keep_the_shape() -> None:
    """A scalar that is all that is left of a vector operation fills its shape."""
    b = Builder()
    s = b.leaf("input", "s", ())
    assert b.shape(b.op("add", s, b.const(0, (N,)))) == (N,)
    assert b.value(b.op("power", vector(b), b.const(0))) == 1


FOLDS: list[tuple[str, tuple[float, ...], float]] = [
    ("add", (2, 3), 5.0),
    ("sub", (2, 3), -1.0),
    ("mul", (2, 3), 6.0),
    ("div", (3, 2), 1.5),
    ("mod", (-1, 3), 2.0),
    ("mod", (1, 0.1), 1 % 0.1),
    ("power", (2, 10), 1024.0),
    ("neg", (2,), -2.0),
    ("lt", (2, 3), 1.0),
    ("le", (3, 3), 1.0),
    ("gt", (2, 3), 0.0),
    ("ge", (3, 3), 1.0),
    ("eq", (2, 3), 0.0),
    ("ne", (2, 3), 1.0),
    ("sigmoid", (0,), 0.5),
    ("sigmoid", (-1000,), 0.0),
    ("tanh", (0.5,), math.tanh(0.5)),
    ("relu", (-1,), 0.0),
    ("exp", (1,), math.e),
    ("log", (1,), 0.0),
    ("sqrt", (9,), 3.0),
    ("abs", (-3,), 3.0),
    ("floor", (-1.5,), -2.0),
    ("sin", (0,), 0.0),
    ("cos", (0,), 1.0),
    ("softplus", (1000,), 1000.0),
    ("log_sigmoid", (-1000,), -1000.0),
    ("maximum", (2, 3), 3.0),
    ("minimum", (2, 3), 2.0),
    ("where", (5, 2, 3), 2.0),
    ("where", (0, 2, 3), 3.0),
    ("neg", (math.inf,), -math.inf),
    ("add", (math.inf, 1), math.inf),
]


@pytest.mark.parametrize(("op", "args", "expected"), FOLDS)
def test_numbers_fold(op: str, args: tuple[float, ...], expected: float) -> None:
    """An operation on numbers is computed in float64, and is a float."""
    b = Builder()
    value = b.value(b.op(op, *map(b.const, args)))
    assert value == expected
    assert isinstance(value, float)


def test_every_fold_is_tried() -> None:
    """The table above tries every op that has a rule for numbers."""
    tried = {op for op, _, _ in FOLDS}
    assert tried == {name for name, row in OPS.items() if row.fold is not None}


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("div", (1, 0)),
        ("div", (0, 0)),
        ("log", (-1,)),
        ("log", (0,)),
        ("exp", (1000,)),
        ("power", (9, 9**9)),
        ("power", (-8, 1 / 3)),
        ("mul", (1e200, 1e200)),
        ("sub", (math.inf, math.inf)),
        ("mod", (1, 0)),
        ("floor", (math.inf,)),
    ],
)
def test_what_is_no_number_is_left(op: str, args: tuple[float, ...]) -> None:
    """What overflows or is undefined stays an operation for run time."""
    b = Builder()
    assert b.value(b.op(op, *map(b.const, args))) is None


def test_surrogates_do_not_fold() -> None:
    """A surrogate is a primitive: its slope is not that of its value."""
    b = Builder()
    node = b.op("surrogate", vector(b), b.const(0))
    assert b.nodes[node].op == "surrogate"


def test_equal_nodes_are_shared_but_not_draws() -> None:
    """One node for equal operations; 0 and -0 are one; draws are never shared."""
    b = Builder()
    v = vector(b)
    assert b.op("tanh", v) == b.op("tanh", v)
    assert str(b.value(b.const(-0.0))) == "0.0"
    assert b.const(0.0) == b.const(-0.0)
    one, two = (b.draw("glorot", shape=(N, N)) for _ in range(2))
    assert one != two


def test_shapes_are_checked() -> None:
    """Operations of unfit shapes or arguments are refused."""
    b = Builder()
    v, m = vector(b), b.leaf("input", "m", (M,))
    for op, args, message in (
        ("add", (v, m), "different shapes"),
        ("matmul", (v, v), "is a matrix"),
        ("row_sum", (b.const(0),), "is no vector"),
        ("tanh", (v, m), "takes 1 arguments"),
        ("input", (), "is a leaf"),
    ):
        with pytest.raises(ShapeRuleError, match=message):
            b.op(op, *args)
    with pytest.raises(ShapeRuleError, match="3 entries do not make 2"):
        b.op("row_sum", b.const(1, (Size.number(3),)), attr=Size.number(2))
    with pytest.raises(ShapeRuleError, match="only a scalar fills"):
        b.fill(v, (M,))


def test_a_matrix_turned_twice_is_itself() -> None:
    """What the gradient turns back is the matrix, and a number has one everywhere."""
    b, plain = Builder(), Builder(fold=False)
    for each, back in ((b, 0), (plain, 2)):
        matrix = each.leaf("parameter", "W", (N, N))
        turned = each.op("transpose", matrix)
        assert turned != matrix
        assert each.op("transpose", turned) == back
    assert b.op("transpose", b.const(0, (N, M))) == b.const(0, (M, N))


def test_bindings_follow_the_arguments() -> None:
    """A node is known when all its arguments are."""
    b = Builder()
    w, v = b.leaf("parameter", "W", (N, N)), vector(b)
    assert b.binding(w) == Binding.WEIGHTS
    assert b.binding(b.op("matmul", w, v)) == Binding.INPUT
    assert b.binding(b.op("add", v, b.leaf("state", "h", (N,)))) == Binding.STEP


def test_unfolded_cells_have_what_was_written() -> None:
    """Without folding a cell keeps the products that a literal 0 annihilates."""
    definitions = define(load("odyssey_np").chain, Report())
    counts = [
        len(build(definitions, Report(), fold=fold).builder.nodes)
        for fold in (True, False)
    ]
    assert counts[0] < counts[1]
