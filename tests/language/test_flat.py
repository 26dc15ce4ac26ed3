"""Flat texts of what cannot be written plainly: each kept by a term that adds 0."""

from __future__ import annotations

import ast

import pytest

from cell_texts import child, no_base
from cellwright.cells import load
from cellwright.language.cell import Cell, read_cell
from cellwright.language.report import Source


def flattened(cell: Cell) -> Cell:
    """Return the cell that the flat text says."""
    return read_cell(Source(cell.name, cell.flat_text, "flat"), no_base)


@pytest.mark.parametrize(
    ("base", "lines", "term"),
    [
        ("lstm", ["i = 1"], "i  = 1 + 0 * h"),
        ("lstm", ["i = 0"], "i  = 0 * h"),
        ("lstm", ["input time", "i = time"], "i  = time + 0 * h"),
        ("lstm", ["input time", "i = time > 2"], "i  = (time > 2) + 0 * h"),
        ("lstm", ["c' = i * g"], "c' = i * g + 0 * c"),
        ("lstm", ["f = 0"], "f  = 0 * h"),
        ("lstm_norm_joint", ["a_i = 1"], "0 * sum(a_i_)"),
        ("lstm_norm_joint", ["i = 1"], "0 * sum(a_i)"),
        ("elman", ["U = 0", "h' = W @ x + U @ h + b + h"], "U  = 0 * U_"),
    ],
    ids=str,
)
def test_term_keeps_the_graph(base: str, lines: list[str], term: str) -> None:
    """What a plain text would lose is kept by a term, and the graph is equal."""
    cell = child(base, *lines)
    assert term in cell.flat_text
    assert flattened(cell).graph == cell.graph


def test_descriptions_and_order_are_kept() -> None:
    """Rule 14: a child without a comment keeps the base's, and the order of states."""
    cell = load("odyssey_fgr")
    flat = cell.flat_text
    assert "# input gate: how much of the candidate to write" in flat
    assert flat.index("state    h, c") < flat.index("state    i_last")


def test_block_stands_together() -> None:
    """A name that a child adds to the block stands in the block of the flat text."""
    lines = ["for l in 1..depth:", "    weight R_q [hidden_size, hidden_size]"]
    lines += ["    k = 1 - t", "    n = tanh(R_q @ s)"]
    cell = child("rhn", *lines)
    assert cell.flat_text.count("for l in 1..depth:") == 1
    assert flattened(cell).graph == cell.graph


def test_views_walk_the_cell() -> None:
    """Equations and declarations come with text, description, block and origin."""
    cell = load("rhn_coupled")
    assert cell.block == "for l in 1..depth:"
    k = next(e for e in cell.equations if e.names == ("k",))
    assert (k.text, k.in_block, k.origin) == ("1 - t", True, "rhn_coupled")
    assert k.description == "carry gate: what the transform gate leaves"
    weights = [d for d in cell.declarations if d.kind == "weight"]
    assert [(d.names, d.shape, d.in_block, d.origin) for d in weights] == [
        (("W_n", "W_t"), "[hidden_size, input_size]", False, "rhn"),
        (("R_n", "R_t"), "[hidden_size, hidden_size]", True, "rhn"),
    ]
    (count,) = [d for d in cell.declarations if d.kind == "count"]
    assert (count.names, count.value) == (("depth",), "3")


def test_views_have_trees_and_splits() -> None:
    """A split has all its names, and a prime of a tree is U+02B9."""
    cell = load("lstm_norm_joint")
    split = cell.equations[0]
    assert split.names == ("a_i", "a_f", "a_g", "a_o")
    assert cell.block == ""
    after = next(e for e in load("lstm").equations if e.names == ("h'",))
    names = {getattr(node, "id", "") for node in ast.walk(after.tree)}
    assert "cʹ" in names
