"""Products of a sum come together, and nothing else changes."""

from dataclasses import replace

import pytest

from backward_reference import CASES, assert_same, case_id, drawn
from cellwright.cells import find, load
from cellwright.checks.tolerances import TOLERANCES
from cellwright.ir.formula import formula
from cellwright.ir.graph import Graph
from cellwright.passes.gather import gather
from cellwright.passes.roots import node_names

REWRITTEN = TOLERANCES["rewritten", "float64"].bound
HEAD = (
    "input x [input_size]\nstate h [hidden_size]\nweight W [hidden_size, input_size]\n"
    "weight U [hidden_size, hidden_size]\nbias b, d [hidden_size]\noutput h'\n"
)


def said(graph: Graph, name: str) -> str:
    """Return the formula of a value."""
    value = graph.value(name)
    assert value is not None
    return formula(graph, value.node, node_names(graph))


@pytest.mark.parametrize(
    ("equation", "gathered"),
    [
        ("b * h + U @ h + d + W @ x", "b * h + d + W @ x + U @ h"),
        ("U @ h + b + W @ x + d", "b + d + W @ x + U @ h"),
        ("W @ x + (U @ h + (b + d)) + h", "b + d + h + W @ x + U @ h"),
        ("W @ x + U @ h", "W @ x + U @ h"),
        ("U @ h + W @ x + b + V @ h", "b + W @ x + (U @ h + V @ h)"),
        ("U @ x + b + d * h", "b + d * h + U @ x"),
        ("W @ x - (U @ h + b + U @ x)", "W @ x - (b + U @ x + U @ h)"),
        ("b + mean(x) + d * mean(h) + W @ x", "b + mean + d * (mean) + W @ x"),
    ],
)
def test_products_of_a_sum_are_adjacent(equation: str, gathered: str):
    """No products, products of what is given, the others; each in their order."""
    same = "size input_size = hidden_size\n"
    unused = "" if "d" in equation else " + 0 * d"
    unused += "" if "V" in equation else " + 0 * (V @ h)"
    head = HEAD.replace("weight U", "weight U, V")
    text = f"{same}{head}h' = {equation}{unused} + 0 * (b + W @ x + U @ h)\n"
    found = said(gather(find(text).graph), "h'")
    for name in "xh":
        found = found.replace(f"sum({name}) / hidden_size", "mean")
    assert found == gathered


def test_a_sum_used_twice_stays():
    """What something else reads too is not taken apart."""
    text = f"{HEAD}a = W @ x + b\nh' = tanh(a + U @ h + d) * a\n"
    graph = gather(find(text).graph)
    assert said(graph, "a") == "b + W @ x"
    assert said(graph, "h'") == "tanh(a + d + U @ h) * a"


def test_a_sum_with_itself_stays():
    """Both sides of ``a + a`` are one sum, used twice."""
    text = f"{HEAD}a = W @ x + b + 0 * d\nh' = U @ h + (a + a)\n"
    assert said(gather(find(text).graph), "h'") == "a + a + U @ h"


def test_a_named_sum_stays():
    """A value that can be traced is still there, whoever uses it."""
    text = f"{HEAD}a = W @ x + b\nh' = tanh(a + U @ h + d)\n"
    graph = gather(find(text).graph)
    assert said(graph, "a") == "b + W @ x"
    assert said(graph, "h'") == "tanh(a + d + U @ h)"


def test_a_sum_of_weights_stays():
    """It is computed once a call, so it is no part of a step's sum."""
    text = f"{HEAD}h' = tanh(W @ x + U @ h + (b + d) + h)\n"
    assert said(gather(find(text).graph), "h'") == "tanh(b + d + h + W @ x + U @ h)"
    text = f"{HEAD}h' = tanh(W @ x + h + U @ h + (b + d))\n"
    found = said(gather(find(text).graph), "h'")
    assert found == "tanh(h + (b + d) + W @ x + U @ h)"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_meaning_is_preserved(case: tuple[str, str], cell_seed: int):
    """The gathered graph gives the same numbers, and gathering it again is it."""
    _, problem, _ = drawn(case, cell_seed)
    graph = gather(problem.graph)
    assert_same(replace(problem, graph=graph).run(), problem.run(), REWRITTEN)
    assert gather(graph) == graph
    assert (graph.states, graph.inputs) != ((), ())
    assert [p.name for p in graph.parameters] == [
        p.name for p in problem.graph.parameters
    ]


def test_lstm_keeps_its_names():
    """No value loses its name on the way."""
    graph = load("lstm").graph
    assert [v.name for v in gather(graph).values] == [v.name for v in graph.values]
