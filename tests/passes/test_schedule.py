"""A schedule computes what its graph says, from what lies in memory when it is read."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from backward_reference import (
    CASES,
    assert_same,
    autograd,
    case_id,
    cotangents,
    drawn,
    drawn_trace,
    nudged,
    spread_of,
)
from cellwright.backends.reference.interpret import Arguments, run
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.passes.pipeline import compile_graph
from schedule_reference import run_backward, run_forward
from strategies import Problem

REWRITTEN = TOLERANCES["rewritten", "float64"].bound


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_phases_compute_the_graph(case: tuple[str, str], cell_seed: int):
    """Values, traces, last states and all gradients are those of torch."""
    _, problem, random = drawn(case, cell_seed)
    trace = tuple(drawn_trace(case, problem, random))
    pipeline = compile_graph(problem.graph, trace)
    problem = replace(problem, graph=pipeline.forward.schedule.graph)
    expected = values_of(problem, trace)
    for each in (pipeline, compile_graph(problem.graph, trace, gradients="none")):
        arrays, last = run_forward(each.forward, problem)
        nodes = [each.forward.schedule.graph.output, *each.forward.traced]
        found = dict(zip(["output", *trace], [arrays[n] for n in nodes], strict=True))
        moves = partial(spread_of_values, problem, trace, expected)
        assert_same({**found, **last}, expected, REWRITTEN, moves)
    given = cotangents(problem, trace, random)
    gradients = autograd(problem, trace, given)
    spread = partial(spread_of, problem, trace, given)
    assert_same(run_backward(pipeline, problem, given), gradients, REWRITTEN, spread)


def spread_of_values(
    problem: Problem, trace: tuple[str, ...], expected: dict[str, torch.Tensor]
) -> float:
    """Return how far values move when all that they hang on moves by rounding.

    That is far where a number lies on a jump: of `floor`, `%` or a comparison.
    """
    found = 0.0
    for seed in range(3):
        moved = values_of(nudged(problem, seed), trace)
        found = max(found, *(error(moved[n], v) for n, v in expected.items()))
    return found


def values_of(problem: Problem, trace: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Return output, traces and last states by the reference."""
    graph = problem.graph
    result = run(
        graph,
        Arguments(problem.sizes, problem.parameters, problem.constants),
        [problem.inputs[i.name] for i in graph.inputs],
        [problem.states[s.name] for s in graph.states],
        trace,
    )
    last = zip([s.name for s in graph.states], result.states, strict=True)
    return {"output": result.output, **result.traces, **dict(last)}
