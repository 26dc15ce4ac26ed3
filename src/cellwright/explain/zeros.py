"""Equations without what a literal 0 removes, as the graph is without it.

A variant takes a term away by ``p_i = 0``. In a paper neither ``p_i`` nor the product
with it has a place.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellwright.language.views import EquationView


def without_zeros(equations: Sequence[EquationView]) -> list[EquationView]:
    """Return equations in which no value is used that is a literal 0.

    Args:
        equations: those of a cell. A value of 0 that no other one uses stays, because
            it is put out. So does one that is carried on, as ``s`` where there is an
            ``s'``: the 0 is its first value only.
    """
    found = list(equations)
    carried = {_bare(n) for e in found for n in e.names if n.endswith("'")}
    while True:
        used = {
            n.id for e in found for n in ast.walk(e.tree) if isinstance(n, ast.Name)
        }
        zeros = {e.names[0] for e in found if _is_zero(e.tree)} & used
        zeros = {name for name in zeros if _bare(name) not in carried}
        if not zeros:
            return found
        folder = _Folder(dict.fromkeys(zeros, 0))
        found = [
            replace(e, tree=folder.visit(e.tree))
            for e in found
            if not zeros.intersection(e.names)
        ]


def without_zero_terms(tree: ast.expr) -> ast.expr:
    """Return an expression without what a literal 0 in it removes.

    Args:
        tree: as it is written; it stays as it is.

    Example:
        >>> tree = ast.parse("a + 0 * b", mode="eval").body
        >>> ast.unparse(without_zero_terms(tree))
        'a'
    """
    return _Folder({}).visit(tree)


class _Folder(ast.NodeTransformer):
    """Puts numbers in the place of names, on copies, and takes away what is 0."""

    def __init__(self, numbers: Mapping[str, int]):
        self._numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        number = self._numbers.get(node.id)
        return node if number is None else ast.Constant(number)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        args = [self.visit(arg) for arg in node.args]
        return ast.Call(node.func, args, node.keywords)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides = [self.visit(side) for side in node.comparators]
        return ast.Compare(self.visit(node.left), node.ops, sides)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        return operand if _is_zero(operand) else ast.UnaryOp(node.op, operand)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        match node.op:
            case ast.Mult() | ast.MatMult() if _is_zero(left) or _is_zero(right):
                return ast.Constant(0)
            case ast.Div() if _is_zero(left):
                return left
            case ast.Add() if _is_zero(left):
                return right
            case ast.Add() | ast.Sub() if _is_zero(right):
                return left
            case ast.Sub() if _is_zero(left):
                return ast.UnaryOp(ast.USub(), right)
        return ast.BinOp(left, node.op, right)


def _bare(name: str) -> str:
    return name.removesuffix("'")


def _is_zero(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant) and tree.value == 0
