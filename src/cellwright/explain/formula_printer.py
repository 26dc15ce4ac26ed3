r"""Print an expression of the language as LaTeX, with parentheses where they are due.

Elementwise products of vectors are $\odot$; a scalar stands beside what it scales.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from .symbols import PRIME, Symbols


class Level(IntEnum):
    """How tightly an expression holds together; what is looser needs parentheses."""

    COMPARISON = 0
    SUM = 1
    PRODUCT = 2
    POWER = 3
    ATOM = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A printed expression and how tightly it holds together."""

    text: str
    level: Level = Level.ATOM


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: r"\leq",
    ast.Gt: ">",
    ast.GtE: r"\geq",
    ast.Eq: "=",
    ast.NotEq: r"\neq",
}
_CALLED = {
    "sigmoid": r"\sigma",
    "tanh": r"\tanh",
    "relu": r"\operatorname{ReLU}",
    "exp": r"\exp",
    "log": r"\log",
    "sin": r"\sin",
    "cos": r"\cos",
    "softplus": r"\operatorname{softplus}",
    "log_sigmoid": r"\log \sigma",
    "maximum": r"\max",
    "minimum": r"\min",
    "silu": r"\operatorname{SiLU}",
    "clip": r"\operatorname{clip}",
    "hard_sigmoid": r"\operatorname{hard\,\sigma}",
    "stop_gradient": r"\operatorname{stopgrad}",
    "surrogate": r"\operatorname{surrogate}",
    "uniform": r"\operatorname{uniform}",
    "normal": r"\operatorname{normal}",
}
"""Functions whose arguments are all values."""
_DRAWN = ("glorot", "orthogonal")
"""Draws that stand without arguments."""

_ROWS = {
    "sum": r"\operatorname{sum}",
    "mean": r"\operatorname{mean}",
    "max": r"\operatorname{max}",
    "layer_norm": r"\operatorname{LayerNorm}",
    "softmax": r"\operatorname{softmax}",
    "repeat": r"\operatorname{repeat}",
}
"""Functions of a vector; their second argument, a size, stands below the name."""

_FENCED: dict[str, Callable[[str], str]] = {
    "sqrt": lambda v: rf"\sqrt{{{v}}}",
    "abs": lambda v: rf"\left|{v}\right|",
    "floor": lambda v: rf"\left\lfloor {v} \right\rfloor",
}
_SCALAR_ROWS = ("sum", "mean", "max")

PRINTED = frozenset(
    {*_CALLED, *_ROWS, *_FENCED, *_DRAWN, "where", "concat", "split", "transpose"}
)
"""Every function that has a form here; a test compares it with the language's table."""


class Printer:
    """Prints the expressions of one cell.

    Args:
        symbols: what the names of the cell are.
        in_block: whether the expression stands in the for block.
    """

    def __init__(self, symbols: Symbols, in_block: bool = False):
        self._symbols = symbols
        self._in_block = in_block

    def text(self, tree: ast.expr) -> str:
        """Return the LaTeX of an expression."""
        return self._at_least(tree, Level.SUM)

    def factor(self, tree: ast.expr) -> str:
        """Return the LaTeX of an expression that stands beside a times sign."""
        return self._at_least(tree, Level.PRODUCT)

    def _piece(self, tree: ast.expr) -> Piece:
        match tree:
            case ast.Constant(value=int() | float() as value):
                return _number(value)
            case ast.Name(id=name):
                return self._name(name.replace(PRIME, "'"))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Piece("-" + self._at_least(operand, Level.PRODUCT), Level.SUM)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._piece(operand)
            case ast.BinOp():
                return self._operation(tree)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                sides = [self._at_least(side, Level.SUM) for side in (left, right)]
                text = f" {_COMPARISONS[type(op)]} ".join(sides)
                return Piece(text, Level.COMPARISON)
            case ast.Call(
                func=ast.Name(id="where"),
                args=[ast.Compare() as test, value, ast.Constant(value=0)],
            ) if self._is_of_micro_step(test):
                inside = self._at_least(value, Level.PRODUCT)
                return Piece(
                    rf"{self._at_least(test, Level.ATOM)} \, {inside}", Level.PRODUCT
                )
            case ast.Call(func=ast.Name(id=name), args=args):
                return Piece(self._call(name, args))
            case _:
                raise TypeError(f"{type(tree).__name__} has no LaTeX here")

    def _is_of_micro_step(self, test: ast.Compare) -> bool:
        """Whether a comparison asks which micro-step it is: a factor then, 1 or 0."""
        return isinstance(test.left, ast.Name) and test.left.id == self._symbols.index

    def _name(self, name: str) -> Piece:
        constant = {"inf": r"\infty", "pi": r"\pi"}.get(name)
        if name in _DRAWN:
            constant = rf"\text{{{name}}}"
        return Piece(constant or self._symbols.symbol(name, self._in_block))

    def _operation(self, tree: ast.BinOp) -> Piece:
        left, right = tree.left, tree.right
        match tree.op:
            case ast.Add() | ast.Sub():
                sign = "+" if isinstance(tree.op, ast.Add) else "-"
                after = self._at_least(right, Level.PRODUCT)
                text = f"{self._at_least(left, Level.SUM)} {sign} {after}"
                return Piece(text, Level.SUM)
            case ast.Mult():
                return Piece(self._product(left, right), Level.PRODUCT)
            case ast.MatMult():
                sides = [self._at_least(side, Level.POWER) for side in (left, right)]
                return Piece(" ".join(sides), Level.PRODUCT)
            case ast.Div():
                above, below = self.text(left), self.text(right)
                return Piece(rf"\frac{{{above}}}{{{below}}}", Level.POWER)
            case ast.Mod():
                sides = [self._at_least(side, Level.POWER) for side in (left, right)]
                return Piece(r" \bmod ".join(sides), Level.PRODUCT)
            case ast.Pow():
                base = self._at_least(left, Level.ATOM)
                # tanh(a)² and s⁽ˡ⁾² could be read in two ways.
                if isinstance(left, ast.Call) or "^" in base:
                    base = _in_parentheses(self.text(left))
                return Piece(f"{base}^{{{self.text(right)}}}", Level.POWER)
            case _:
                raise TypeError(f"{type(tree.op).__name__} has no LaTeX here")

    def _product(self, left: ast.expr, right: ast.expr) -> str:
        scalars = self._is_scalar(left), self._is_scalar(right)
        # W x beside a factor reads as one long product; parentheses keep it apart.
        plain = isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult | ast.Div)
        before = self._at_least(left, Level.PRODUCT if plain else Level.POWER)
        after = self._at_least(right, Level.POWER)
        if not any(scalars):
            return rf"{before} \odot {after}"
        sign = r"\cdot" if after[:1].isdigit() else r"\,"
        return f"{before} {sign} {after}"

    def _call(self, name: str, args: Sequence[ast.expr]) -> str:
        match name, args:
            case "where", _:
                return self._cases(args)
            case "concat", _:
                inside = r";\, ".join(map(self.text, args))
                return rf"\left[{inside}\right]"
            case "transpose", [matrix]:
                return self._transposed(matrix)
            case "split", [vector, *_]:
                return self.text(vector)
            case _, [value] if name in _FENCED:
                return _FENCED[name](self.text(value))
            case _, [value, *groups] if name in _ROWS:
                below = "".join(f"_{{{self.text(group)}}}" for group in groups)
                return _ROWS[name] + below + _in_parentheses(self.text(value))
            case _ if name in _CALLED:
                inside = ",\\, ".join(map(self.text, args))
                return _CALLED[name] + _in_parentheses(inside)
            case _:
                raise TypeError(f"the function {name!r} has no LaTeX here")

    def _transposed(self, matrix: ast.expr) -> str:
        # As with powers: tanh(A)ᵀ and a name that has a superscript want parentheses.
        text = self._at_least(matrix, Level.ATOM)
        if isinstance(matrix, ast.Call) or "^" in text:
            text = _in_parentheses(self.text(matrix))
        return rf"{text}^{{\top}}"

    def _cases(self, args: Sequence[ast.expr]) -> str:
        rows: list[str] = []
        while True:
            condition, value, other = args
            rows.append(rf"{self.text(value)} & \text{{if }} {self._test(condition)}")
            match other:
                case ast.Call(func=ast.Name(id="where"), args=args):
                    continue
                case _:
                    rows.append(rf"{self.text(other)} & \text{{otherwise}}")
            return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _test(self, condition: ast.expr) -> str:
        if isinstance(condition, ast.Compare):
            return self._piece(condition).text
        return self.text(condition) + r" \neq 0"

    def _at_least(self, tree: ast.expr, level: Level) -> str:
        """Print an operand, in parentheses when it is looser than ``level``."""
        piece = self._piece(tree)
        if piece.level == Level.COMPARISON:
            return rf"\left[{piece.text}\right]"  # 1 where it holds, else 0
        return piece.text if piece.level >= level else _in_parentheses(piece.text)

    def _is_scalar(self, tree: ast.expr) -> bool:
        match tree:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                name = name.replace(PRIME, "'")
                return name in ("inf", "pi") or self._symbols.is_scalar(name)
            case ast.BinOp(op=ast.MatMult()):
                return False
            case ast.Call(func=ast.Name(id=name), args=args) if name in _ROWS:
                return name in _SCALAR_ROWS and len(args) == 1
            case ast.Call(func=ast.Name(id="concat")):
                return False
            case ast.Call(args=args):
                return all(map(self._is_scalar, args))
            case _:
                parts = ast.iter_child_nodes(tree)
                return all(self._is_scalar(p) for p in parts if isinstance(p, ast.expr))


def _number(value: float) -> Piece:
    mantissa, _, exponent = repr(value).partition("e")
    mantissa = mantissa.removesuffix(".0")
    if not exponent:
        return Piece(mantissa)
    power = f"10^{{{int(exponent)}}}"
    if mantissa == "1":
        return Piece(power, Level.POWER)
    return Piece(rf"{mantissa} \cdot {power}", Level.PRODUCT)


def _in_parentheses(text: str) -> str:
    tall = any(word in text for word in (r"\frac", r"\begin", r"\left", r"\sqrt"))
    return rf"\left({text}\right)" if tall else f"({text})"
