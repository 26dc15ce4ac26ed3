"""From a parsed expression to nodes of the graph, with every fault at its place.

A fault is noted once and yields None; what hangs on None stays silent.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Binding
from cellwright.ir.ops import ShapeRuleError
from cellwright.ir.sizes import Shape, Size, SizeError, shape_text

from .fragment import PRIME, Fragment
from .functions import FUNCTIONS, Function
from .report import Report, did_you_mean

Where = Literal["step", "first", "init"]
"""An equation; the first value of a state; that of a weight, bias or constant."""

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Mod: "mod",
    ast.Pow: "power",
    ast.MatMult: "matmul",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
_SAME_PRECEDENCE = (ast.Mult, ast.MatMult, ast.Div, ast.Mod)
_SIGNS = {ast.Mult: "*", ast.MatMult: "@", ast.Div: "/", ast.Mod: "%"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The named sizes and counts of a cell; None for one whose text is at fault."""

    values: Mapping[str, Size | None]

    def positive(self, tree: ast.expr, at: Fragment, report: Report) -> Size | None:
        """Return the size of an axis or a group: a known number is whole, 1 or more."""
        size = self.read(tree, at, report)
        if size is None or size.constant is None:
            return size
        if size.constant < 1 or size.constant.denominator != 1:
            report.add("size", at.place(tree), f"{at.shown(tree)!r} is {size}")
            return None
        return size

    def read(self, tree: ast.expr, at: Fragment, report: Report) -> Size | None:
        """Return the size that an expression says, or note why it says none."""
        try:
            return self._read(tree, at, report)
        except SizeError as fault:
            report.add("size", at.place(tree), str(fault))
            return None

    def _read(self, tree: ast.expr, at: Fragment, report: Report) -> Size | None:
        match tree:
            case ast.Constant(value=int(number)):
                return Size.number(number)
            case ast.Name(id=name):
                if name not in self.values:
                    known = {*self.values, "input_size", "hidden_size"}
                    shown, fix = at.shown(tree), did_you_mean(name, known)
                    report.add("unknown-size", at.place(tree), f"{shown!r}", fix, name)
                return self.values.get(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.read(operand, at, report)
                return inner and inner * -1
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                return self._operation(tree, at, report)
            case _:
                report.add("size", at.place(tree), f"{short(at.shown(tree))!r}")
                return None

    def _operation(self, tree: ast.BinOp, at: Fragment, report: Report) -> Size | None:
        left = self.read(tree.left, at, report)
        right = self.read(tree.right, at, report)
        if left is None or right is None:
            return None
        match tree.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case _:
                return left / right


@dataclass
class Scope:
    """What an expression may see.

    Args:
        lookup: a name with its prime, and where it stands, to its node or None.
        draw_shape: in initialisers, the shape that a random draw takes.
    """

    where: Where
    lookup: Callable[[str, ast.Name], int | None]
    draw_shape: Shape = ()


class Typer:
    """Turns one fragment's expressions into nodes."""

    def __init__(
        self, at: Fragment, scope: Scope, builder: Builder, sizes: Sizes, report: Report
    ):
        self._at = at
        self._scope = scope
        self._b = builder
        self._sizes = sizes
        self._report = report

    def node(self, tree: ast.expr) -> int | None:
        """Return the node of an expression, or None when it is at fault."""
        match tree:
            case ast.Constant(value=value):
                return self._number(value, tree)
            case ast.UnaryOp(
                op=ast.USub(), operand=ast.Constant(value=int() | float() as value)
            ) if not isinstance(value, bool):
                return self._number(-value, tree)
            case ast.Name():
                return self._name(tree)
            case ast.UnaryOp(operand=operand):
                return self._apply(tree, "neg", [self.node(operand)])
            case ast.BinOp(op=op, left=left, right=right):
                if not self._order_is_plain(tree):
                    return None
                name = _OPERATORS[type(op)]
                return self._binary(tree, name, self.node(left), self.node(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                name = _COMPARISONS[type(op)]
                return self._apply(tree, name, [self.node(left), self.node(right)])
            case ast.Compare():
                found = f"{short(self._at.shown(tree))!r} compares in a chain"
                fix = "multiply two comparisons, or use where(m, a, b)"
                self._report.add("operator", self._at.place(tree), found, fix)
                return None
            case ast.Call():
                return self._call(tree)
            case _:
                raise AssertionError(f"{type(tree).__name__} passed first_slip")

    def parts(self, tree: ast.Call, count: int) -> list[int]:
        """Return the ``count`` parts of a split, or nothing when it is at fault."""
        if not self._arguments_fit(FUNCTIONS["split"], tree):
            return []
        vector = self.node(tree.args[0])
        sizes = [self._sizes.positive(a, self._at, self._report) for a in tree.args[1:]]
        lengths = [size for size in sizes if size is not None]
        if vector is None or len(lengths) < len(sizes):
            return []
        shape = self._b.shape(vector)
        shown = f"{short(self._at.shown(tree.args[0]))!r} is {shape_text(shape)}"
        if len(shape) != 1:
            self._shape_fault(tree, f"{shown}: split takes a vector")
            return []
        try:
            lengths = lengths or [shape[0] / count] * count
            total = sum(lengths, start=Size.number(0))
        except SizeError as fault:
            self._shape_fault(tree, f"{shown}: {fault}")
            return []
        if len(lengths) != count or total != shape[0]:
            names = "1 name" if count == 1 else f"{count} names"
            given = f"{len(lengths)} part{'s' * (len(lengths) != 1)} of {total} in all"
            fix = "one part is the whole of it: leave split away" if count == 1 else ""
            self._shape_fault(tree, f"{names} for {given}; {shown}", fix)
            return []
        starts = [sum(lengths[:i], start=Size.number(0)) for i in range(count)]
        return [
            self._b.op("slice", vector, attr=pair)
            for pair in zip(starts, lengths, strict=True)
        ]

    def _number(self, value: object, tree: ast.expr) -> int | None:
        assert isinstance(value, int | float)
        number = float(value) if abs(value) < 2**1000 else math.inf
        if math.isfinite(number):
            return self._b.const(number)
        found = f"{short(self._at.shown(tree))} is more than a float64 holds"
        fix = "write inf" if value > 0 else "write -inf"
        self._report.add("number", self._at.place(tree), found, fix)
        return None

    def _name(self, tree: ast.Name) -> int | None:
        name = tree.id.replace(PRIME, "'")
        if name == "inf":
            return self._b.const(math.inf)
        if name == "pi":
            return self._b.const(math.pi)
        if name in FUNCTIONS:
            if not FUNCTIONS[name].arguments:
                return self._draw(FUNCTIONS[name], [], tree)
            found = f"{name!r} is a function, without its arguments"
            fix = f"the signature is {FUNCTIONS[name].signature}"
            self._report.add("arguments", self._at.place(tree), found, fix)
            return None
        return self._scope.lookup(name, tree)

    def _binary(
        self, tree: ast.BinOp, name: str, left: int | None, right: int | None
    ) -> int | None:
        if left is None or right is None:
            return None
        in_step = self._scope.where == "step"
        if name == "power" and in_step and self._b.value(right) is None:
            found = f"{self._at.shown(tree.right)!r} is not a number"
            fix = "write exp(n * log(v)) for a positive v"
            self._report.add("exponent", self._at.place(tree.right), found, fix)
            return None
        if name == "matmul" and self._b.binding(left) > Binding.WEIGHTS:
            found = f"{self._at.shown(tree.left)!r} hangs on an input or a state"
            fix = "the matrix stands on the left, the vector on the right"
            if not self._b.shape(left):
                fix = "write * for the product of a scalar"
            self._report.add("matrix", self._at.place(tree.left), found, fix)
            return None
        return self._apply(tree, name, [left, right])

    def _apply(self, tree: ast.expr, op: str, args: list[int | None]) -> int | None:
        known = [arg for arg in args if arg is not None]
        if len(known) < len(args):
            return None
        try:
            result = self._b.op(op, *known)
        except ShapeRuleError as fault:
            operands = [
                t for t in ast.iter_child_nodes(tree) if isinstance(t, ast.expr)
            ]
            found = f"{self._shapes(operands, known)}: {fault}"
            return self._shape_fault(tree, found, self._product_fix(op, known))
        return self._in_step(result, tree)

    def _product_fix(self, op: str, args: list[int]) -> str:
        """Return what a product of these shapes was likely meant to be."""
        shapes = [self._b.shape(arg) for arg in args]
        axes = [len(shape) for shape in shapes]
        if op == "mul" and axes == [2, 1]:
            return "the product of a matrix and a vector is @"
        if op == "matmul" and axes == [2, 1] and shapes[0][0] == shapes[1][0]:
            rows, columns = shapes[0]
            return (
                f"the matrix is [rows, columns]: declare it [{columns}, {rows}] for a "
                f"result of {columns}, or [{rows}, {rows}] for one of {rows}"
            )
        return ""

    def _in_step(self, node: int, tree: ast.expr) -> int | None:
        step = self._b.binding(node) > Binding.WEIGHTS
        if step and len(self._b.shape(node)) > 1:
            found = f"{self._at.shown(tree)!r} is {shape_text(self._b.shape(node))}"
            self._report.add("vector-step", self._at.place(tree), found)
            return None
        return node

    def _call(self, tree: ast.Call) -> int | None:
        assert isinstance(tree.func, ast.Name)
        name = tree.func.id.replace(PRIME, "'")
        row = FUNCTIONS.get(name)
        if row is None:
            fix = did_you_mean(name, FUNCTIONS)
            place = self._at.place(tree.func)
            self._report.add("unknown-function", place, f"{name!r}", fix)
            return None
        if not self._arguments_fit(row, tree):
            return None
        if row.name == "split":
            found = "split inside an expression"
            fix = "a, b = split(v)"
            self._report.add("split", self._at.place(tree), found, fix)
            return None
        values = int(min(row.values[1], len(tree.args)))
        args = [self.node(arg) for arg in tree.args[:values]]
        rest = tree.args[values:]
        sizes = [self._sizes.positive(a, self._at, self._report) for a in rest]
        known = [arg for arg in args if arg is not None]
        counts = [size for size in sizes if size is not None]
        if len(known) + len(counts) < len(tree.args):
            return None
        if row.kind == "draw":
            return self._draw(row, known, tree)
        return self._result(row, known, counts, tree)

    def _result(
        self, row: Function, values: list[int], sizes: list[Size], tree: ast.Call
    ) -> int | None:
        assert row.apply is not None
        if row.kind == "row" and sizes == [Size.number(1)]:
            sizes = []  # the signature's default: one group is the whole vector
        try:
            return self._in_step(row.apply(self._b, values, sizes), tree)
        except (ShapeRuleError, SizeError) as fault:
            shown = self._shapes(tree.args[: len(values)], values)
            turned = row.name == "transpose"
            fix = "the product of two vectors, a number, is sum(a * b)" * turned
            return self._shape_fault(tree, f"{shown}: {row.name}: {fault}", fix)

    def _draw(self, row: Function, values: list[int], tree: ast.expr) -> int | None:
        shape = self._scope.draw_shape
        if self._scope.where != "init":
            what = "an equation" if self._scope.where == "step" else "a state"
            self._report.add("draw", self._at.place(tree), f"{row.name} in {what}")
            return None
        if not row.arguments and len(shape) < 2:
            found = f"{row.name} needs a matrix, this is {shape_text(shape)}"
            return self._shape_fault(tree, found)
        return self._b.draw(row.name, *values, shape=shape)

    def _arguments_fit(self, row: Function, tree: ast.Call) -> bool:
        given = len(tree.args)
        least = row.values[0] + row.size_arguments[0]
        most = row.values[1] + row.size_arguments[1]
        found = f"{row.name} with {given} argument{'s' * (given != 1)}"
        fix = f"the signature is {row.signature}"
        if least <= given <= most and row.arguments:
            beyond = [node for arg in tree.args[1:] for node in ast.walk(arg)]
            vector = any(isinstance(node, ast.Call | ast.MatMult) for node in beyond)
            if row.name != "max" or not vector:
                return True
            found = f"{short(self._at.shown(tree.args[1]))!r} as the number of groups"
            fix = "the larger of two values is maximum(a, b)"
        self._report.add("arguments", self._at.place(tree), found, fix)
        return False

    def _order_is_plain(self, tree: ast.BinOp) -> bool:
        left = tree.left
        if not isinstance(left, ast.BinOp) or not isinstance(tree.op, _SAME_PRECEDENCE):
            return True
        mixed = isinstance(left.op, ast.MatMult) != isinstance(tree.op, ast.MatMult)
        if not isinstance(left.op, _SAME_PRECEDENCE) or not mixed:
            return True
        after = self._at.text[self._at.ends(left)[1] :].lstrip()
        if after.startswith(")"):
            return True
        a, b, c = (self._operand(t) for t in (left.left, left.right, tree.right))
        one, two = _SIGNS[type(left.op)], _SIGNS[type(tree.op)]
        found = f"it reads ({a} {one} {b}) {two} {c}"
        fix = f"write that, or {a} {one} ({b} {two} {c})"
        self._report.add("matmul-order", self._at.place(tree), found, fix)
        return False

    def _operand(self, tree: ast.expr) -> str:
        """Return an operand as written, in parentheses where it has operands itself."""
        text = self._at.shown(tree)
        return f"({text})" if isinstance(tree, ast.BinOp) else text

    def _shape_fault(self, tree: ast.expr, found: str, fix: str = "") -> None:
        self._report.add("shape", self._at.place(tree), found, fix)

    def _shapes(self, trees: Sequence[ast.expr], nodes: Sequence[int]) -> str:
        """Return "'U' is [hidden_size, hidden_size] and 'x' is [input_size]"."""
        return " and ".join(
            f"{short(self._at.shown(tree))!r} is {shape_text(self._b.shape(node))}"
            for tree, node in zip(trees, nodes, strict=True)
        )


def short(text: str) -> str:
    """Return a text, cut to what fits into a message."""
    return text if len(text) <= 60 else text[:57] + "..."
