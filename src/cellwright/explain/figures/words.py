"""An expression of the language as a short text for a picture: ``decay·v + W x``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from ..symbols import PRIME

SHORT = {
    "sigmoid": "σ",
    "log_sigmoid": "log σ",
    "hard_sigmoid": "hard σ",
    "layer_norm": "norm",
    "maximum": "max",
    "minimum": "min",
    "stop_gradient": "no gradient",
}
"""What a function is called in a picture, where that is not its name."""

INNER = "□"
"""Stands for what comes over an unnamed wire."""

_SIGNS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "≤",
    ast.Gt: ">",
    ast.GtE: "≥",
    ast.Eq: "=",
    ast.NotEq: "≠",
}
_CASE = 36
"""Characters of a case that stands in a line of its own."""
_LOOSE, _SUM, _PRODUCT, _POWER, _ATOM = range(5)
_HELD = "\N{NO-BREAK SPACE}"
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

Hide = Callable[[ast.expr], bool]


def called(name: str) -> str:
    """Return what a function is called in a picture."""
    return SHORT.get(name, name)


def raised(number: int) -> str:
    """Return a number as an exponent."""
    return str(number).translate(_RAISED)


def short(tree: ast.expr, hide: Hide = lambda _: False) -> str:
    r"""Return an expression as a short text; products are held together.

    Args:
        tree: the expression.
        hide: says of which parts only a sign stands, because a wire brings them.

    Example:
        >>> short(ast.parse("W @ x + 0.5 * v ** 2", mode="eval").body)
        'W\xa0x + 0.5·v²'
    """
    return _Printer(hide).at_least(tree, _LOOSE)


def held(tree: ast.expr, below: bool = False) -> str:
    """Return an expression as a short text that a sign may stand before.

    Args:
        tree: the expression.
        below: whether the sign is that of a division.

    Example:
        >>> tree = ast.parse("a * b", mode="eval").body
        >>> held(tree), held(tree, below=True)
        ('a·b', '(a·b)')
    """
    return _Printer(lambda _: False).at_least(tree, _POWER if below else _PRODUCT)


class _Printer:
    def __init__(self, hide: Hide):
        self._hide = hide

    def at_least(self, tree: ast.expr, level: int) -> str:
        text, own = self._piece(tree)
        return text if own >= level else f"({text})"

    def _piece(self, tree: ast.expr) -> tuple[str, int]:
        if self._hide(tree):
            return INNER, _ATOM
        match tree:
            case ast.Constant(value=value):
                return f"{value:g}" if isinstance(value, float) else str(value), _ATOM
            case ast.Name(id=name):
                return {"inf": "∞", "pi": "π"}.get(
                    name, name.replace(PRIME, "'")
                ), _ATOM
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"−{self.at_least(operand, _PRODUCT)}", _SUM
            case ast.UnaryOp(operand=operand):
                return self._piece(operand)
            case ast.BinOp():
                return self._operation(tree)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                sides = [self.at_least(side, _SUM) for side in (left, right)]
                return f" {_SIGNS[type(op)]} ".join(sides), _LOOSE
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._call(name, args)
            case _:
                raise TypeError(f"{type(tree).__name__} has no place in a picture")

    def _operation(self, tree: ast.BinOp) -> tuple[str, int]:
        left, right = tree.left, tree.right

        def sides(sign: str, one: int, other: int) -> str:
            return f"{self.at_least(left, one)}{sign}{self.at_least(right, other)}"

        match tree.op:
            case ast.Add():
                return sides(" + ", _SUM, _PRODUCT), _SUM
            case ast.Sub():
                return sides(" − ", _SUM, _PRODUCT), _SUM
            case ast.Mult():
                return sides("·", _PRODUCT, _POWER), _PRODUCT
            case ast.MatMult():
                return sides(_HELD, _POWER, _POWER), _PRODUCT
            case ast.Div():
                return sides(f"{_HELD}/{_HELD}", _PRODUCT, _POWER), _PRODUCT
            case ast.Mod():
                return sides(f"{_HELD}mod{_HELD}", _PRODUCT, _POWER), _PRODUCT
            case ast.Pow():
                return self._power(left, right), _POWER
            case _:
                raise TypeError(f"{type(tree.op).__name__} has no place in a picture")

    def _power(self, left: ast.expr, right: ast.expr) -> str:
        base, exponent = self.at_least(left, _ATOM), self.at_least(right, _ATOM)
        plain = exponent.isdigit()
        return base + (raised(int(exponent)) if plain else f"^{exponent}")

    def _call(self, name: str, args: Sequence[ast.expr]) -> tuple[str, int]:
        texts = [self.at_least(arg, _SUM) for arg in args]
        match name, args:
            case "where", [test, _, _]:
                condition = self.at_least(test, _LOOSE)
                # Cases one after the other need no parentheses.
                other = self._piece(args[2])[0] if _is_case(args[2]) else texts[2]
                return f"{texts[1]} if {condition} else {other}", _LOOSE
            case "surrogate", [value, _]:
                return self._piece(value)
            case "abs", _:
                return f"|{texts[0]}|", _ATOM
            case "transpose", [matrix]:
                return f"{self.at_least(matrix, _ATOM)}ᵀ", _ATOM
            case _:
                return f"{called(name)}({', '.join(texts)})", _ATOM


def _is_case(tree: ast.expr) -> bool:
    match tree:
        case ast.Call(func=ast.Name(id="where")):
            return True
        case _:
            return False


def cases(text: str) -> tuple[str, ...]:
    """Return a text of several cases with a line for each; empty if they are long.

    Example:
        >>> cases("a if p else b if q else c")
        ('a if p', 'b if q', 'else c')
    """
    lines = text.split(" else ")
    fits = 2 < len(lines) < 6 and max(map(len, lines)) <= _CASE
    return (*lines[:-1], f"else {lines[-1]}") if fits else ()


def wrapped(text: str, width: int, lines: int) -> tuple[str, ...]:
    """Return a text in lines of equal length, as it may be broken at its spaces.

    Args:
        text: the text.
        width: the most characters of a line, where spaces allow it.
        lines: the most lines; empty when the text needs more.
    """
    for count in range(1, lines + 1):
        room = max(-(-len(text) // count), 1)
        while room <= width:
            found = _filled(text, room)
            if len(found) <= count:
                return tuple(found)
            room += 1
    return ()


def _filled(text: str, width: int) -> list[str]:
    found: list[str] = []
    for word in text.split(" "):
        # A sign that stands alone begins a line, so it is held by what follows.
        if found and len(found[-1]) + 1 + len(word) <= width:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return (
        found if all(len(line) <= width for line in found) else [*found, "", "", "", ""]
    )
