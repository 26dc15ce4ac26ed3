"""Tests of `cellwright.explain.order`: a paper defines before it uses."""

import ast

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.order import in_reading_order
from cellwright.explain.symbols import PRIME
from cellwright.language.cell import Cell


def ordered(cell: Cell) -> list[str]:
    """Return the names of a cell's equations, as they are read."""
    return [name for e in in_reading_order(cell.equations) for name in e.names]


@pytest.mark.parametrize("name", names())
def test_nothing_is_used_before_it_is_defined(name: str):
    """Every name on a right side stands on an earlier left side, or on none."""
    cell = load(name)
    equations = in_reading_order(cell.equations)
    later = {n for e in equations for n in e.names}
    for equation in equations:
        used = {
            n.id.replace(PRIME, "'")
            for n in ast.walk(equation.tree)
            if isinstance(n, ast.Name)
        }
        assert not used & later, equation.names
        later -= set(equation.names)
    assert sorted(ordered(cell)) == sorted(n for e in cell.equations for n in e.names)


@pytest.mark.parametrize("name", ["lstm", "elman", "rhn", "slstm", "gru"])
def test_an_order_that_is_right_stays(name: str):
    """What needs no other place keeps its own."""
    assert ordered(load(name)) == [n for e in load(name).equations for n in e.names]


def test_what_a_variant_adds_stands_just_before_its_use():
    """The equations between keep the order of the base."""
    found = ordered(load("nested_lstm"))

    added = ["write", "keep", "i_in", "f_in", "g_in", "o_in", "c_in'"]
    assert found == ["i", "f", "g", "o", *added, "c'", "h'"]


def test_a_block_stays_together():
    """What it needs stands before it, what needs it behind it."""
    cell = find(
        "count depth = 3\nsize input_size = hidden_size\ninput x [input_size]\n"
        "state h [hidden_size]\noutput h'\nh' = y' + k\ny = z\nfor l in 1..depth:\n"
        "    y' = v * y\n    v = w * x\nw = x + 1\nz = h\nk = v_last\nv_last = y'\n"
    )
    equations = in_reading_order(cell.equations)
    found = [e.names[0] for e in equations]
    inside = [n for n, e in enumerate(equations) if e.in_block]

    assert inside == list(range(inside[0], inside[0] + 2))
    assert [found[n] for n in inside] == ["v", "y'"]
    assert set(found[: inside[0]]) == {"z", "y", "w"}
    assert found[inside[-1] + 1 :] == ["v_last", "k", "h'"]
