"""Tests of `cellwright.passes.rewrite`."""

from dataclasses import replace
from itertools import product

import pytest

from cellwright.cells import find, load
from cellwright.cells import names as library
from cellwright.ir.graph import Graph
from cellwright.ir.text import parse_graph, print_graph
from cellwright.ir.verify import verify
from cellwright.passes.classify import classify
from cellwright.passes.rewrite import (
    Kind,
    Rewrites,
    input_kind,
    recurrent_matrices,
    rewrite,
)

EVERY = [
    Rewrites(mask, reset, *zoned, dropout)
    for mask, reset, dropout in product((False, True), repeat=3)
    for zoned in (((), ()), (("h",), ()), ((), ("h",)), (("h",), ("c",)))
]


def names(graph: Graph) -> list[str]:
    """List a graph's inputs."""
    return [i.name for i in graph.inputs]


@pytest.mark.parametrize("name", library())
def test_every_rewrite_of_every_cell_is_a_graph(name: str):
    """It passes the verifier, round-trips as text, and keeps all other rows."""
    graph = load(name).graph
    for rewrites in EVERY:
        changed = rewrite(graph, rewrites)
        assert parse_graph(print_graph(verify(changed))) == changed
        assert changed.inputs[: len(graph.inputs)] == graph.inputs
        assert all(name.startswith("_") for name in names(changed)[len(graph.inputs) :])
        assert [(s.name, s.shape) for s in changed.states] == [
            (s.name, s.shape) for s in graph.states
        ]
        assert [v.name for v in changed.values] == [v.name for v in graph.values]
        assert changed.output_shape == graph.output_shape


def test_inputs_come_in_a_fixed_order():
    """Those that every cell has first, then states, then products."""
    graph = find("lstm_proj").graph
    changed = rewrite(graph, Rewrites(True, True, ("c",), ("h",), True))
    added = ["_keep", "_reset", "_share_h", "_zone_c", "_drop_x", "_drop_1", "_drop_2"]
    assert names(changed) == ["x", *added]
    shapes = {i.name: str(i.shape[0]) if i.shape else "" for i in changed.inputs}
    assert shapes["_keep"] == shapes["_reset"] == shapes["_share_h"] == ""
    assert shapes["_drop_x"] == "input_size"
    assert shapes["_zone_c"] == shapes["_drop_2"] == "hidden_size"
    assert shapes["_drop_1"] == "proj_size"


def test_every_further_input_has_a_kind():
    """Of every rewrite of a cell, and none has another name."""
    graph = find("lstm_proj").graph
    seen: set[Kind] = set()
    for rewrites in EVERY:
        added = names(rewrite(graph, rewrites))[1:]
        kinds = [input_kind(name) for name in added]
        assert [f"_{kind.value}_{of}".rstrip("_") for kind, of in kinds] == added
        seen |= {kind for kind, _ in kinds}
    assert seen == set(Kind)
    assert input_kind("_zone_h_2") == (Kind.ZONE, "h_2")


@pytest.mark.parametrize("name", ["x", "keep", "_new", "_new_h", "h_zone"])
def test_any_other_name_is_no_further_input(name: str):
    """It is never taken for one of dropout's masks."""
    with pytest.raises(ValueError, match=name.strip("_").split("_")[0]):
        input_kind(name)


def test_one_mask_for_each_vector():
    """Products of one vector share it; what came from x is not dropped twice."""
    text = """input x [input_size]
state h [hidden_size]
weight W, V [hidden_size, input_size + hidden_size]
weight U [hidden_size, hidden_size]
output h'
both = concat(x, h)
r = sigmoid(W @ both)
h' = tanh(V @ both + U @ h + U @ (r * h))
"""
    changed = rewrite(find(text).graph, Rewrites(dropout=True))
    assert names(changed) == ["x", "_drop_x", "_drop_1", "_drop_2"]
    joined = [node for node in changed.nodes if node.op == "concat"]
    dropped = [[changed.nodes[arg].op for arg in node.args] for node in joined]
    assert ["mul", "mul"] in dropped


def test_a_cell_without_a_recurrent_product_drops_its_input_only():
    """There is no vector to drop between one step and the next."""
    text = "input x\nstate h\noutput h'\nh' = 0.5 * h + x\n"
    assert names(rewrite(find(text).graph, Rewrites(dropout=True))) == ["x", "_drop_x"]


def test_rewrites_keep_a_linear_cell_linear():
    """Masks, resets and zoneout choose; they do not bend the state."""
    graph = load("min_gru").graph
    states = tuple(s.name for s in graph.states)
    assert classify(graph) == "linear"
    for zoneout in (Rewrites(True, True, states), Rewrites(True, True, (), states)):
        assert classify(rewrite(graph, replace(zoneout, dropout=True))) == "linear"


def test_states_after_the_step_are_traced_by_their_names():
    """What is called h' is what the state becomes, whatever is on."""
    graph = find("lstm").graph
    for rewrites in EVERY:
        changed = rewrite(graph, rewrites)
        for state in changed.states:
            value = changed.value(f"{state.name}'")
            assert value is not None
            assert value.node == state.next


def test_draws_are_kept_apart():
    """First values that are drawn stay the draws that they were."""
    text = """input x [input_size]
state h [hidden_size]
weight a, b [hidden_size] = uniform(0, 1)
weight W [hidden_size, input_size]
output h'
h' = a * h + b * (W @ x)
"""
    graph = find(text).graph
    changed = rewrite(graph, Rewrites(mask=True))
    for old, new in zip(graph.parameters, changed.parameters, strict=True):
        if old.init is not None and new.init is not None:
            assert graph.nodes[old.init].attr == changed.nodes[new.init].attr
    inits = {p.init for p in changed.parameters if p.init is not None}
    assert len(inits) == 2


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("lstm", ["U_i", "U_f", "U_g", "U_o"]),
        ("lstm_proj", ["U_i", "U_f", "U_g", "U_o", "P"]),
        ("elman", ["U"]),
        ("slstm", ["R_i", "R_f", "R_z", "R_o"]),
        ("rhn", [f"R_{g}_{k}" for g in "ntk" for k in (1, 2, 3)]),
        ("izhikevich", ["U"]),
    ],
)
def test_recurrent_matrices(cell: str, expected: list[str]):
    """They are the matrices whose product hangs on a state."""
    found = recurrent_matrices(find(cell).graph)
    assert sorted(found) == sorted(expected)


def test_recurrent_matrices_see_through_expressions():
    """A matrix made of two others stands for both; a number is no matrix."""
    text = """input x [input_size]
state h [hidden_size]
weight U, V [hidden_size, hidden_size]
weight gain
weight W [hidden_size, input_size]
output h'
h' = tanh(W @ x + (gain * U * tanh(V)) @ h)
"""
    assert recurrent_matrices(find(text).graph) == ("U", "V")
