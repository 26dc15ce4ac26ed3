"""Graphs as text: lossless for every attribute, name and description."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_texts import published
from cellwright.ir.graph import Graph, Node, Value
from cellwright.ir.ops import Attr
from cellwright.ir.sizes import Size
from cellwright.ir.text import parse_graph, print_graph

N = Size.named("n")


@given(st.text(), st.text())
def test_any_words_round_trip(name: str, description: str) -> None:
    """Names and descriptions of any characters survive."""
    graph = published("elman").graph
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
