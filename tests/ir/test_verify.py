"""Each rule of the verifier catches a graph that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cell_texts import NAMES
from cellwright.cells import load
from cellwright.ir.graph import Graph, Node
from cellwright.ir.sizes import Size
from cellwright.ir.verify import GraphRuleError, verify

N = Size.named("hidden_size")
LSTM = load("lstm").graph


def position(op: str) -> int:
    """Return the place of the first node of an op."""
    return next(i for i, node in enumerate(LSTM.nodes) if node.op == op)


def with_node(which: str, **changes: object) -> Graph:
    """Return the LSTM with the first node of an op changed."""
    place = position(which)
    nodes = list(LSTM.nodes)
    nodes[place] = replace(nodes[place], **changes)
    return replace(LSTM, nodes=tuple(nodes))


def with_more(node: Node, **changes: object) -> Graph:
    """Return the LSTM with a node at its end."""
    return replace(LSTM, nodes=(*LSTM.nodes, node), **changes)


def with_first(change: Callable[[int], int]) -> Graph:
    """Return the LSTM with another first value of its first state."""
    state = LSTM.states[0]
    return replace(
        LSTM, states=(replace(state, first=change(state.next)), *LSTM.states[1:])
    )


END = len(LSTM.nodes)
H = position("state")
MATMUL = position("matmul")
PLANTED: dict[str, tuple[Graph, str]] = {
    "op": (with_node("tanh", op="tahn"), "no such op"),
    "order": (with_node("tanh", args=(END - 1,)), "do not stand before it"),
    "negative": (with_node("tanh", args=(-1,)), "do not stand before it"),
    "arity": (with_node("tanh", args=(0, 1)), "takes 1 arguments, has 2"),
    "concat": (with_more(Node("concat", (), (N,))), "takes some arguments, has 0"),
    "shape": (with_node("tanh", shape=(2 * N,)), r"says \[2\*hidden_size\]"),
    "fit": (with_node("matmul", args=LSTM.nodes[MATMUL].args[::-1]), "is a matrix"),
    "output": (replace(LSTM, output=END), "which is no node"),
    "root": (with_first(lambda _: -1), "which is no node"),
    "draw": (
        with_more(Node("uniform", (0, 0), (N,), 1), output=END),
        "belongs to first values",
    ),
    "first": (with_first(lambda after: after), "hangs on inputs or states"),
    "init": (
        replace(
            LSTM,
            parameters=(replace(LSTM.parameters[0], init=H), *LSTM.parameters[1:]),
        ),
        "hangs on inputs or states",
    ),
    "twice": (replace(LSTM, inputs=LSTM.inputs * 2), "declared twice"),
    "undeclared": (replace(LSTM, inputs=()), "is not declared so"),
    "other shape": (
        replace(LSTM, inputs=(replace(LSTM.inputs[0], shape=(N,)),)),
        "is not declared so",
    ),
    "state shape": (
        with_more(
            Node("const", (), (), 0.0),
            states=(replace(LSTM.states[0], first=END), *LSTM.states[1:]),
        ),
        "the first value of h has another shape",
    ),
    "next shape": (
        with_more(
            Node("const", (), (), 0.0),
            states=(replace(LSTM.states[0], next=END), *LSTM.states[1:]),
        ),
        "the next value of h has another shape",
    ),
    "init shape": (
        with_more(
            Node("const", (), (), 0.0),
            parameters=(replace(LSTM.parameters[0], init=END), *LSTM.parameters[1:]),
        ),
        "the first value of W_i has another shape",
    ),
    "value": (replace(LSTM, values=LSTM.values * 2), "stands twice"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_caught(fault: str) -> None:
    """A graph that breaks a rule is refused, with the rule named."""
    graph, message = PLANTED[fault]
    with pytest.raises(GraphRuleError, match=message):
        verify(graph)


def test_matrix_of_a_state_is_caught() -> None:
    """The left side of a product may not hang on a state."""
    nodes = (
        Node("state", (), (N,), "h"),
        Node("parameter", (), (N, N), "U"),
        Node("mul", (1, 1), (N, N)),
        Node("state", (), (N, N), "m"),
        Node("matmul", (3, 0), (N,)),
    )
    graph = replace(LSTM, nodes=nodes, output=4, states=(), values=())
    with pytest.raises(GraphRuleError, match="matrix that hangs"):
        verify(graph)


@pytest.mark.parametrize("name", NAMES)
def test_cells_verify(name: str) -> None:
    """The graph of every cell keeps every rule, and is returned as it is."""
    graph = load(name).graph
    assert verify(graph) is graph
