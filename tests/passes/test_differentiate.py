"""The backward graph gives torch's gradients, for every cell."""

from functools import partial

import pytest

from backward_reference import (
    CASES,
    assert_same,
    autograd,
    by_backward_graph,
    case_id,
    cotangents,
    drawn,
    drawn_trace,
    spread_of,
)
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES
from cellwright.ir.ops import OPS
from cellwright.passes.differentiate import differentiate
from cellwright.passes.residuals import recomputed

REWRITTEN = TOLERANCES["rewritten", "float64"].bound


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_gradients_are_those_of_torch(case: tuple[str, str], cell_seed: int):
    """Whatever is traced, gathered or computed anew, no gradient changes."""
    _, problem, random = drawn(case, cell_seed)
    graph = problem.graph
    trace = drawn_trace(case, problem, random)
    given = cotangents(problem, trace, random)
    expected = autograd(problem, trace, given)
    plain = differentiate(graph, trace)
    every = {
        n for n, node in enumerate(graph.nodes) if OPS[node.op].kind == "elementwise"
    }
    chosen = recomputed(graph, plain.kept.values())
    for backward in (
        plain,
        differentiate(graph, trace, chosen),
        differentiate(graph, trace, every),
    ):
        found = by_backward_graph(problem, backward, given)
        spread = partial(spread_of, problem, trace, given)
        assert_same(found, expected, REWRITTEN, spread)


def test_nothing_is_derived_that_cannot_be_learned():
    """No gradient leaves for a constant, nor for what is made of constants alone."""
    text = (
        "input x [input_size]\nstate h [hidden_size]\noutput h'\n"
        "weight W [hidden_size, input_size]\nconstant k [hidden_size] = 0.5\n"
        "constant U [i: hidden_size, j: hidden_size] = i - j\n"
        "h' = tanh(W @ x + (2 * U) @ (k * h) + exp(k))\n"
    )
    found = differentiate(find(text).graph).graph.values

    assert {value.name for value in found} == {"d.x", "d.W"}
