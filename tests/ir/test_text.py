"""Graphs as text: lossless for every attribute, name and description."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_texts import NAMES
from cellwright.cells import find, load
from cellwright.ir.graph import Graph, Input, Node, Value
from cellwright.ir.ops import Attr
from cellwright.ir.sizes import Size
from cellwright.ir.text import parse_graph, print_graph
from cellwright.ir.verify import verify
from cellwright.passes.differentiate import differentiate
from cellwright.passes.rooted import rooted
from cellwright.passes.roots import node_names, step_roots
from edge_cells import EDGES

N = Size.named("n")


@given(st.text(), st.text())
def test_any_words_round_trip(name: str, description: str) -> None:
    """Names and descriptions of any characters survive."""
    graph = load("elman").graph
    values = (Value("h'", graph.output, description),)
    changed = replace(graph, name=name, values=values)
    assert parse_graph(print_graph(changed)) == changed


@pytest.mark.parametrize(
    "attr",
    [
        None,
        0.1,
        1e308,
        float("inf"),
        float("-inf"),
        3,
        "it's {a} name : [b]",
        N / 2,
        (N, 2 * N),
        (),
    ],
    ids=str,
)
def test_any_attribute_round_trips(attr: Attr) -> None:
    """Numbers, infinities, names, sizes and shapes survive with their types."""
    node = Node("const", (), (N, N / 3), attr)
    graph = Graph("a", (node,), (), (), (), (), (), (), (), 0, (N / 2,))
    read = parse_graph(print_graph(graph))
    assert read == graph
    assert type(read.nodes[0].attr) is type(attr)


@pytest.mark.parametrize(
    "line", ["nonsense", "%0 = const", "state h [n]", "output 3", "size", "weight"]
)
def test_other_text_is_refused(line: str) -> None:
    """A line of another form is named with its number."""
    with pytest.raises(ValueError, match="line 2 of a graph"):
        parse_graph(f"graph a\n{line}\n")


@pytest.mark.parametrize("name", [*NAMES, *EDGES])
def test_backward_graphs_round_trip(name: str) -> None:
    """So do graphs of gradients, and graphs cut off above their roots."""
    graph = (load(name) if name in NAMES else find(EDGES[name])).graph
    trace = [v.name for v in graph.values if len(graph.nodes[v.node].shape) < 2]
    backward = differentiate(graph, trace).graph
    names = node_names(graph)
    cut = rooted(graph, step_roots(graph, [graph.output]), names)
    for each in (backward, cut):
        assert verify(each) is each
        assert parse_graph(print_graph(each)) == each


@pytest.mark.parametrize("name", ["d.h", "%12", "d.b_i", "d.%12", "d.h'", "_keep"])
def test_names_of_leaves_round_trip(name: str) -> None:
    """A leaf of a backward graph is called by what it stands for."""
    node = Node("input", (), (N,), name)
    declared = (Input(name, (N,), "a note"),)
    values = (Value(name, 0),)
    graph = Graph("a", (node,), (), (), declared, (), (), (), values, 0)
    assert parse_graph(print_graph(graph)) == graph
