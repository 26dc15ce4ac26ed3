"""The backward graph gives torch's gradients, for every cell."""

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
)
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
        assert_same(by_backward_graph(problem, backward, given), expected, REWRITTEN)
