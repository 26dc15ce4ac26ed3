"""How an expression is taken apart: its terms, its factors, what it multiplies."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..symbols import PRIME

ROWS = ("sum", "mean", "max", "layer_norm", "softmax", "repeat", "concat")
"""Functions in which an entry hangs on other entries than its own."""
NO_BOX = ("where", "surrogate", "maximum", "minimum", "split", "transpose")
"""Functions that are no box round one value."""
Test = Callable[[ast.expr], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """What a sum takes, weights left away.

    Args:
        tree: the value.
        negative: whether it is subtracted.
        mixes: whether a matrix stands before it.
        when: what has to hold of the micro-step, if it is not there in each.
    """

    tree: ast.expr
    negative: bool = False
    mixes: bool = False
    when: ast.expr | None = None


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield the names of an expression with their primes, as it has them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id.replace(PRIME, "'")


def terms(tree: ast.expr, negative: bool = False) -> Iterator[tuple[bool, ast.expr]]:
    """Yield what a sum is made of, each with whether it is subtracted."""
    match tree:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            yield from terms(left, negative)
            yield from terms(right, negative != isinstance(tree.op, ast.Sub))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from terms(operand, not negative)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            yield from terms(operand, negative)
        case _:
            yield negative, tree


def factors(tree: ast.expr, below: bool = False) -> Iterator[tuple[bool, ast.expr]]:
    """Yield what a product is made of, each with whether it divides."""
    match tree:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            yield from factors(left, below)
            yield from factors(right, below != isinstance(tree.op, ast.Div))
        case _:
            yield below, tree


def taken(tree: ast.expr, fixed: Test) -> list[Term]:
    """Return what a sum takes, with scales, shifts and matrices left away.

    Args:
        tree: the sum.
        fixed: says which expressions are the same at every step.
    """
    found = [(minus, term) for minus, term in terms(tree) if not fixed(term)]
    return [part for minus, term in found for part in _of_term(term, minus, fixed)]


def _of_term(tree: ast.expr, negative: bool, fixed: Test) -> Iterator[Term]:
    match tree:
        case ast.BinOp(op=ast.MatMult(), right=right):
            yield Term(right, negative, mixes=True)
            return
        case ast.Call(func=ast.Name(id="where"), args=[test, one, other]) if fixed(
            test
        ) and any(term.mixes for side in (one, other) for term in taken(side, fixed)):
            for term in (*taken(one, fixed), *taken(other, fixed)):
                yield Term(term.tree, term.negative != negative, term.mixes, test)
            return
    steps = [(below, f) for below, f in factors(tree) if not fixed(f)]
    if len(steps) == 1 and not steps[0][0]:
        inner = taken(steps[0][1], fixed) if steps[0][1] is not tree else []
        # Weights before one value are left away; so they are before a sum of products.
        if len(inner) == 1 or any(term.mixes for term in inner):
            for term in inner:
                minus = term.negative != negative
                yield Term(term.tree, minus, term.mixes, term.when)
            return
    yield Term(tree, negative)


def call_inside(tree: ast.expr, fixed: Test) -> ast.Call | None:
    """Return the one function that an expression scales and shifts, if it is that.

    Args:
        tree: the expression, such as ``4 * sigmoid(a) - 2``.
        fixed: says which expressions are the same at every step.
    """
    while True:
        match tree:
            case ast.Call(func=ast.Name(id=name)):
                return None if name in NO_BOX else tree
            case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.UnaryOp():
                steps = [term for _, term in terms(tree) if not fixed(term)]
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                found = [(b, f) for b, f in factors(tree) if not fixed(f)]
                steps = [f for below, f in found if not below]
                steps = steps if len(found) == 1 else []
            case _:
                return None
        if len(steps) != 1:
            return None
        tree = steps[0]


def is_formula(tree: ast.expr, fixed: Test) -> bool:
    """Whether an expression is easier to read as text than as a drawing.

    Comparisons, cases, powers and remainders are; so is longer arithmetic in which no
    value gates another.
    """
    inner = tree
    while True:
        match inner:
            case ast.Compare() | ast.BinOp(op=ast.Mod() | ast.Pow()):
                return True
            case ast.Call(func=ast.Name(id="where" | "surrogate")):
                return not any(t.when for t in taken(inner, fixed))
            case ast.Call(func=ast.Name(id="maximum" | "minimum"), args=args):
                return any(map(fixed, args))
        steps = [term for _, term in terms(inner) if not fixed(term)]
        if len(steps) == 1:
            steps = [f for _, f in factors(steps[0]) if not fixed(f)]
        if len(steps) != 1 or steps[0] is inner:
            break
        inner = steps[0]
    return _is_plain(tree) and (
        any(isinstance(node, ast.Pow | ast.Mod) for node in ast.walk(tree))
        or (not _gates(tree, fixed) and _operations(tree, fixed) > 2)
    )


def _is_plain(tree: ast.expr) -> bool:
    """Whether an expression is arithmetic of names and numbers alone."""
    return not any(
        isinstance(node, ast.Call | ast.Compare | ast.MatMult)
        for node in ast.walk(tree)
    )


def _gates(tree: ast.expr, fixed: Test) -> bool:
    """Whether somewhere a value of the step is multiplied by another one."""
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult | ast.Div)
        and not fixed(node.left)
        and not fixed(node.right)
        for node in ast.walk(tree)
    )


def _operations(tree: ast.expr, fixed: Test) -> int:
    """Return how many circles a drawing of an expression would have."""
    return sum(
        isinstance(node, ast.BinOp | ast.UnaryOp) and not fixed(node)
        for node in ast.walk(tree)
    )
