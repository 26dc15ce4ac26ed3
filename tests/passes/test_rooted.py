"""A graph cut off above its roots is the same function of their values."""

from dataclasses import replace

import pytest

from backward_reference import (
    CASES,
    DOUBLE,
    assert_same,
    case_id,
    drawn,
    drawn_trace,
)
from cellwright.backends.reference.interpret import Arguments, Weights
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES
from cellwright.ir.graph import Binding, bindings
from cellwright.ir.text import parse_graph, print_graph
from cellwright.passes.pipeline import compile_graph
from cellwright.passes.rooted import rooted
from cellwright.passes.roots import node_names, step_roots
from edge_cells import EDGES

REWRITTEN = TOLERANCES["rewritten", "float64"].bound


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_roots_give_the_same_results(case: tuple[str, str], cell_seed: int):
    """Values and gradients hang on weights through the roots alone."""
    _, problem, random = drawn(case, cell_seed)
    trace = drawn_trace(case, problem, random)
    forward = compile_graph(problem.graph, tuple(trace)).forward
    graph, roots = forward.schedule.graph, forward.schedule.roots
    cut = rooted(graph, roots, forward.names)
    arguments = Arguments(problem.sizes, problem.parameters, problem.constants)
    values = Weights(graph, roots).values(arguments, DOUBLE)
    named = [forward.names[root] for root in roots]
    assert [p.name for p in cut.parameters] == named
    assert len(set(named)) == len(named)
    given = {
        name: value.reshape([size.evaluate(problem.sizes) for size in p.shape])
        for name, value, p in zip(named, values, cut.parameters, strict=True)
    }
    alone = replace(problem, graph=cut, parameters=given, constants={})
    assert_same(alone.run(), problem.run(), REWRITTEN)
    binding = bindings(cut)
    made = [n for n, node in enumerate(cut.nodes) if node.op != "const"]
    assert all(binding[n] > Binding.WEIGHTS or not cut.nodes[n].args for n in made)
    assert parse_graph(print_graph(cut)) == cut


def test_names_of_nodes_are_unique():
    """A leaf called by a place of another graph takes no place's name here."""
    for text in EDGES.values():
        pipeline = compile_graph(find(text).graph)
        assert pipeline.backward is not None
        graph = pipeline.forward.schedule.graph
        cut = rooted(graph, pipeline.forward.schedule.roots, pipeline.forward.names)
        back = pipeline.backward.schedule.graph
        for each in (graph, cut, back):
            assert len(set(node_names(each))) == len(each.nodes)


def test_a_proxys_weights_are_roots():
    """What only a slope reads is given as well."""
    graph = find(EDGES["proxy holds a weight"]).graph
    names = node_names(graph)
    assert "w" in [names[root] for root in step_roots(graph, [graph.output])]
