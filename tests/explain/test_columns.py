"""Tests of `cellwright.explain.columns` and the view that it lays out."""

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.columns import fold
from cellwright.explain.equations import equations_view


@pytest.mark.parametrize(
    ("code", "width", "lines"),
    [
        ("a + b", 80, ["a + b"]),
        ("f(a + b) + c", 10, ["f(a + b)", "  + c"]),
        ("f(a, b) - g(c)", 9, ["f(a, b)", "  - g(c)"]),
        ("U @ h * long_name_that_cannot_be_folded", 12, None),
        ("W, U [hidden_size, input_size]", 28, ["W, U", "  [hidden_size, input_size]"]),
    ],
)
def test_code_folds_where_it_is_nested_least(code, width, lines):
    """A fold comes before a sign or behind a comma; what has neither stays whole."""
    assert fold(code, width) == (lines or [code])


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", names())
def test_view_fits_and_loses_nothing(name: str, width: int):
    """No line is wider than the terminal, and every equation is there, whole."""
    cell = load(name)
    lines = [line.plain for line in equations_view(cell, width)]

    assert [line for line in lines if len(line) > width] == []
    code = "".join("".join(line.partition("#")[0].split()) for line in lines)
    for equation in cell.equations:
        names = ",".join(equation.names)
        assert f"{names}={''.join(equation.text.split())}" in code


def test_inherited_equations_say_where_they_come_from():
    """An equation of a base is marked with the cell whose file has it."""
    view = [line.plain for line in equations_view(find("cifg"), 120)]
    (own,) = [line for line in view if line.startswith("f ")]
    (inherited,) = [line for line in view if line.startswith("g ")]

    assert "(from" not in own
    assert inherited.endswith("(from lstm)")
