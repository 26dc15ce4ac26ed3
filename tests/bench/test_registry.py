"""Tests of `cellwright.bench.registry`: what is measured is what is asked for."""

from __future__ import annotations

import itertools

import pytest

from cellwright.bench.kinds import KINDS
from cellwright.bench.peers import PEERS, SGEMM_SHAPES
from cellwright.bench.registry import (
    BOTH,
    CASES,
    COMPILED,
    FORWARD,
    GRID,
    ONE_PRODUCT,
    ONNX,
    OUR_LSTM,
    README_CELL,
    SGEMM,
    Shape,
    peers_at,
    shapes_of,
)
from cellwright.bench.rules import GRID as GRID_OF_RULES
from cellwright.bench.rules import RULES, WITH_ONE_PRODUCT
from cellwright.cells import find, load, names
from cellwright.ir.graph import Binding, bindings

LAYERS = [case for case in CASES.values() if case.kind == "layer"]
LEFT_OUT = {
    "lstm": "it is what the others are measured by",
    "odyssey_fgr": "its gates have products with one another's values, three each",
    "phased_lstm": "it reads a second input, the time",
}
"""Cells with products of states alone that the rule leaves out, and why."""


def test_grid_is_the_one_that_is_asked_for():
    """B in 1, 16, 64; T=100; H in 32 to 512; I in 2 and H."""
    asked = {
        Shape(b, 100, i, h)
        for b, h in itertools.product((1, 16, 64), (32, 64, 128, 256, 512))
        for i in (2, h)
    }

    assert set(GRID) == asked
    assert len(GRID) == len(asked)
    for name in ("lstm", "gru", "elman", "peephole_lstm", "slstm", "lstm_norm_joint"):
        assert asked <= set(CASES[name].shapes)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case_is_complete(case):
    """Its cell is there, its peers are known, its shapes differ, a few are quick."""
    assert find(case.cell)
    assert len(set(case.shapes)) == len(case.shapes)
    assert shapes_of(case, quick=False) == case.shapes
    assert shapes_of(case, quick=True)
    if case.kind == "layer":
        assert set(case.peers) <= PEERS.keys()
    else:
        assert case.kind == "first use" or case.kind in KINDS


def test_rows_of_a_rule_are_measured():
    """Each rule finds rows of each of its cases, with the peer that it asks about."""
    for rule in RULES:
        for name in rule.cases:
            case = CASES[name]
            rows = [
                {"case": name, "what": rule.what, **shape._asdict()}
                for shape in case.shapes
                if case.kind != "layer"
                or rule.other in peers_at(case, rule.what, shape)
            ]
            assert any(rule.takes(row) for row in rows), rule.name


def test_names_of_rules_differ():
    """A line of the report says what it is about."""
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_peers_stand_where_they_can():
    """ONNX Runtime has no gradients, torch.compile two points, sgemm the large ones."""
    lstm, peephole = CASES["lstm"], CASES["peephole_lstm"]
    small, wide = Shape(16, 100, 64, 64), Shape(64, 100, 256, 256)

    assert ONNX in peers_at(lstm, FORWARD, small)
    assert ONNX not in peers_at(lstm, BOTH, small)
    assert SGEMM in peers_at(lstm, BOTH, wide)
    assert SGEMM not in peers_at(lstm, BOTH, small)
    points = [s for s in peephole.shapes if COMPILED in peers_at(peephole, BOTH, s)]
    assert points == [small, wide]
    assert not any(COMPILED in peers_at(peephole, FORWARD, s) for s in peephole.shapes)


def test_cells_with_one_product_a_gate_are_all_there():
    """The rule on multiply-adds speaks of any such cell: the graphs say which."""
    found = set()
    for name in names():
        graph = load(name).graph
        binding = bindings(graph)
        vectors = [
            node.args[1]
            for node in graph.nodes
            if node.op == "matmul" and binding[node.args[1]] == Binding.STEP
        ]
        if vectors and all(graph.nodes[place].op == "state" for place in vectors):
            found.add(name)

    assert set(WITH_ONE_PRODUCT) - {"mine"} == found - LEFT_OUT.keys()
    assert all(OUR_LSTM in CASES[name].peers for name in WITH_ONE_PRODUCT)
    assert set(ONE_PRODUCT) < set(WITH_ONE_PRODUCT)


def test_rules_of_layers_look_at_the_grid():
    """Other numbers of steps are for the pictures."""
    for rule in RULES:
        if rule.what in (FORWARD, BOTH) and rule.cases != ("lengths",):
            assert rule.only["T"] == GRID_OF_RULES["T"] == (100,)


def test_sgemm_has_several_shapes():
    """The limit is the best of them."""
    assert len(SGEMM_SHAPES) > 1


def test_readme_s_cell_is_the_one_that_is_measured():
    """The text that the README shows is the file of the case."""
    root = README_CELL.parents[3]
    readme = (root / "README.md").read_text(encoding="utf-8")

    assert f"```text\n{README_CELL.read_text(encoding='utf-8')}```" in readme
