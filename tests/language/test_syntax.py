"""Where an expression stops being one: place and wording, on any Python."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.language.syntax import first_slip

GOOD = [
    "1",
    "1.5e-3",
    ".5",
    "2.",
    "1e9",
    "0",
    "0.1",
    "-x",
    "--x",
    "x - -1",
    "f(x)",
    "f(x, -1)",
    "f()",
    "((x))",
    "a @ b",
    "a ** -b",
    "a <= b",
    "c' * f(c')",
    "f(a,\n  b)",
]


@pytest.mark.parametrize("text", GOOD)
def test_expressions_pass(text: str) -> None:
    """What the grammar has passes."""
    assert first_slip(text) is None


@pytest.mark.parametrize(
    ("text", "start", "found"),
    [
        ("", 0, "nothing stands here"),
        ("a +", 2, "nothing stands after '+'"),
        ("a b", 2, "an operator is missing before 'b'"),
        ("2 b", 2, "an operator is missing before 'b'"),
        ("a (b) (c)", 6, "an operator is missing before '('"),
        ("a, b", 1, "a comma outside the arguments of a function"),
        ("(a, b)", 2, "a comma outside the arguments of a function"),
        ("f(, a)", 2, "',' where a value is needed"),
        ("* a", 0, "'*' where a value is needed"),
        ("+a", 0, "'+' where a value is needed"),
        ("()", 1, "')' where a value is needed"),
        ("a)", 1, "this ')' closes nothing"),
        ("(a", 0, "a bracket is never closed"),
        ("a // b", 2, "'//'"),
        ("a if b else c", 2, "'if'"),
        ("not a", 0, "'not'"),
        ("lambda", 0, "'lambda' is a word of Python, not of the language"),
        ("a.b", 1, "'.'"),
        ("a[b]", 1, "'['"),
        ("a = b", 2, "'='"),
        ("1_0", 0, "'1_0'"),
        ("012", 0, "'012'"),
        ("2x", 0, "'2x'"),
        ("1e", 0, "'1e'"),
        ("0x1", 0, "'0x1'"),
    ],
)
def test_slips_have_their_place(text: str, start: int, found: str) -> None:
    """A slip is told at the first word that does not fit."""
    slip = first_slip(text)
    assert slip is not None
    assert (slip.start, slip.found) == (start, found)


@given(st.text("ab1.( )+-*/@%<=!,'\n[]^&", max_size=30))
def test_what_passes_is_python(text: str) -> None:
    """What passes is an expression of Python, of the language's few kinds."""
    if first_slip(text) is None:
        tree = ast.parse("(" + text.replace("'", "ʹ") + "\n)", mode="eval").body
        allowed = (
            ast.Constant,
            ast.Name,
            ast.UnaryOp,
            ast.BinOp,
            ast.Compare,
            ast.Call,
        )
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
        assert all(isinstance(node, allowed) for node in nodes)
