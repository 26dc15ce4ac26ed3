"""Tests of `cellwright.explain.difference`."""

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.counts import parameter_count
from cellwright.explain.difference import Change, difference
from cellwright.language.cell import Cell

BASE = """
input x [input_size]
state h, c [hidden_size]
weight W [hidden_size, input_size]
constant k = 0.5
output v
c' = k * c + W @ x     # what is kept
h' = tanh(c') + h
v  = h' + c
"""


def changed(old: str, new: str) -> Cell:
    """Return the cell above with one piece of its text replaced."""
    assert old in BASE
    return find(BASE.replace(old, new))


@pytest.mark.parametrize("name", names())
def test_cell_equals_itself(name: str):
    """Nothing differs between a cell and itself."""
    found = difference(load(name), load(name))

    assert found.equal
    assert found.changes == found.added == found.removed == found.resized == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# what is kept", "# another word"),
        ("k * c + W @ x", "k*c   + W@x"),
        ("\ninput", "# A title.\ninput"),
    ],
)
def test_comments_and_spaces_do_not_count(old: str, new: str):
    """Cells that differ in what only people read are equal."""
    assert difference(find(BASE), changed(old, new)).equal


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("tanh(c')", "sin(c')", Change("h'", "h' = tanh(c') + h", "h' = sin(c') + h")),
        ("k = 0.5", "k = 0.6", Change("k", "constant k = 0.5", "constant k = 0.6")),
        (
            "output v\n",
            "output u\nu = 2 * v\n",
            Change("output", "output v", "output u"),
        ),
        (
            "weight W [hidden_size, input_size]",
            "weight W [hidden_size, input_size] = 1",
            Change(
                "W",
                "weight W [hidden_size, input_size]",
                "weight W [hidden_size, input_size] = 1",
            ),
        ),
        (
            "state h, c",
            "state c, h",
            Change(
                "order of the states",
                "order of the states: h, c",
                "order of the states: c, h",
            ),
        ),
    ],
)
def test_each_kind_of_change_is_told(old: str, new: str, change: Change):
    """A changed equation, value, output, first value and order are each a change."""
    found = difference(find(BASE), changed(old, new))

    assert not found.equal
    assert change in found.changes


def test_parameters_are_told_apart():
    """Added, removed and resized parameters are named, with both counts."""
    found = difference(load("lstm"), load("lstm_proj"))

    assert found.added == ("P",)
    assert found.removed == ()
    assert found.resized == ("U_i", "U_f", "U_g", "U_o")
    assert found.counts[0] == parameter_count(load("lstm").graph)


def test_what_is_inherited_counts():
    """A child that only says `extends` equals its base; one that overrides does not."""
    child = find("extends lstm\n")
    other = find("extends lstm\nf = 1\n")

    assert difference(load("lstm"), child).equal
    assert difference(load("lstm"), other).removed == ("W_f", "U_f", "b_f")


def test_removed_names_stand_where_they_stood():
    """Changes come in the order of the second cell, what is gone in its old place."""
    found = difference(load("peephole_lstm"), load("cifg"))

    assert [change.name for change in found.changes] == [
        "W_f",
        "U_f",
        "b_f",
        "p_f",
        "f",
    ]
