"""A piece of a file's text that knows its place, and its parse."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .report import Report, Source, Span
from .syntax import MAX_DEPTH, first_slip

PRIME = "ʹ"
"""What ' becomes before ast.parse: one character that Python allows in names."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a statement's text that starts at a line and a column of its file."""

    source: Source
    line: int
    column: int
    text: str

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """Return the place of ``text[start:end]``, cut at the end of its line."""
        before = self.text[:start]
        row = before.count("\n")
        column = start - (before.rfind("\n") + 1) + (0 if row else self.column)
        stretch = self.text[start:end].split("\n")[0].rstrip()
        return Span(self.source, self.line + row, column, max(1, len(stretch)))

    def cut(self, start: int, end: int | None = None) -> Fragment:
        """Return ``text[start:end]`` without the spaces around it."""
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        place = self.span(start)
        return Fragment(self.source, place.line, place.column, piece.strip())

    def place(self, node: ast.expr) -> Span:
        """Return the place of a node of this fragment's parse."""
        return self.span(*self.ends(node))

    def ends(self, node: ast.expr) -> tuple[int, int]:
        """Return where in ``text`` a node of this fragment's parse begins and ends."""
        end_row, end_byte = node.end_lineno, node.end_col_offset
        assert end_row is not None
        assert end_byte is not None
        start = self._offset(node.lineno, node.col_offset)
        return start, self._offset(end_row, end_byte)

    def shown(self, node: ast.expr) -> str:
        """Return a node as it is written, on one line."""
        start, end = self.ends(node)
        return " ".join(self.text[start:end].split())

    def parse(self, report: Report) -> ast.expr | None:
        """Return the expression of this fragment; nothing is ever evaluated."""
        slip = first_slip(self.text)
        if slip is not None:
            place = self.span(slip.start, slip.end)
            report.add(slip.code, place, slip.found, slip.fix)
            return None
        try:
            tree = ast.parse(_parsable(self.text), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError):
            report.add("too-deep", self.span(), "it is nested too deep to be read")
            return None
        deep = _depth(tree)
        if deep > MAX_DEPTH:
            report.add("too-deep", self.span(), f"it is {deep} deep", "name its parts")
            return None
        return tree

    def _offset(self, row: int, byte: int) -> int:
        """Return the position in ``text`` of a row and byte column of its parse."""
        lines = self.text.split("\n")
        start = sum(len(line) + 1 for line in lines[: row - 1])
        # The parse of the first line has a bracket in front.
        line = ("(" if row == 1 else "") + lines[row - 1].replace("'", PRIME)
        return start + len(line.encode()[:byte].decode()) - (row == 1)


def _parsable(text: str) -> str:
    return "(" + text.replace("'", PRIME) + "\n)"


def _depth(tree: ast.AST) -> int:
    """Return the nesting depth without recursion: 1,500 minus signs must not blow."""
    deepest, stack = 0, [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend(
            (child, depth + isinstance(child, ast.expr))
            for child in ast.iter_child_nodes(node)
        )
    return deepest
