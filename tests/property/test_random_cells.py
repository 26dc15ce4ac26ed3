"""What holds for every cell that the language can say."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from cell_statistics import REQUIRED, features, table
from cellwright.cells import find
from cellwright.checks.gradients import check_gradients
from cellwright.ir.graph import Graph
from cellwright.ir.text import parse_graph, print_graph
from cellwright.ir.verify import verify
from random_cells import draw_cell
from strategies import (
    DrawnCell,
    Problem,
    assert_close,
    draw_problem,
    drawn_cells,
    is_tame,
    lengths,
    random_cells,
    seeds,
    unfolded,
)

CELLS_COUNTED = 300
CELLS_CHECKED = 80
UNDECIDED_AT_MOST = 0.15
"""The share of drawn cells that may have more undecided entries than the check allows.

A cell drawn at random can hold `maximum(v, v)`, an exact tie at which no side is the
right one, or layer_norm of two entries or of nearly equal ones, all but a jump, so that
differences do not settle. Of 450 drawn cells 21 did, a share of 0.047; more than 12 of
80 is chance less than once in 10,000 runs.
"""


def test_random_cells_cover_the_language(
    cell_seed: int, record_property: Callable[[str, object], None]
):
    """Together they hold every op, function, operator, product and construct."""
    counts: Counter[str] = Counter()
    for i in range(CELLS_COUNTED):
        text = draw_cell(Random(f"{cell_seed} {i}"))
        counts.update(features(find(text).graph, text))
    record_property("random cells", table(counts, CELLS_COUNTED))
    missing = [name for name in REQUIRED if not counts[name]]
    assert not missing, f"--cell-seed={cell_seed} never drew {', '.join(missing)}"


def test_a_seed_is_a_cell():
    """The same seed gives the same text, another one another."""
    assert draw_cell(Random(5)) == draw_cell(Random(5)) != draw_cell(Random(6))


@given(drawn=drawn_cells())
@random_cells
def test_graph_is_right_and_round_trips(drawn: DrawnCell):
    """The graph passes its verifier, and its text form gives the same graph back."""
    graph = drawn.cell.graph
    assert verify(graph) is graph
    assert parse_graph(print_graph(graph)) == graph


@given(drawn=drawn_cells(), seed=seeds)
@random_cells
def test_a_sequence_can_be_split(drawn: DrawnCell, seed: int):
    """Running two halves, with the state carried over, is running the whole."""
    random = Random(seed)
    problem = draw_problem(drawn.cell, random, steps=random.randint(2, 6))
    whole = problem.run()
    at = random.randint(1, len(whole["output"]) - 1)
    first = part(problem, slice(None, at), {}).run()
    states = {name: first[name] for name in problem.states}
    second = part(problem, slice(at, None), states).run()
    joined = {**second, "output": torch.cat([first["output"], second["output"]])}
    assert_close(joined, whole)


def part(problem: Problem, steps: slice, states: dict[str, Tensor]) -> Problem:
    """Return a problem over some of the steps, from given states."""
    leaves = problem.leaves()
    leaves |= {name: value[steps] for name, value in problem.inputs.items()}
    leaves |= {f"first {name}": value for name, value in states.items()}
    return problem.with_leaves(leaves)


@given(drawn=drawn_cells(), seed=seeds)
@random_cells
def test_permuting_the_batch_permutes_the_results(drawn: DrawnCell, seed: int):
    """Rows of a batch know nothing of each other, in values and in gradients."""
    random = Random(seed)
    problem = draw_problem(drawn.cell, random)
    rows = len(next(iter(problem.states.values())))
    order = torch.tensor(random.sample(range(rows), rows))
    permuted = problem.with_leaves(
        {name: shuffle(name, v, problem, order) for name, v in problem.leaves().items()}
    )
    weights = problem.weights(torch.Generator().manual_seed(seed))
    assert_close(
        permuted.run(),
        {name: shuffle(name, v, problem, order) for name, v in problem.run().items()},
    )
    moved = {name: shuffle(name, v, problem, order) for name, v in weights.items()}
    expected = {
        name: shuffle(name, value, problem, order)
        for name, value in problem.gradients(weights).items()
    }
    assume(is_tame(expected))
    assert_close(permuted.gradients(moved), expected)


def shuffle(name: str, value: Tensor, problem: Problem, order: Tensor) -> Tensor:
    """Permute the rows of whatever has some."""
    if name in problem.parameters:
        return value
    axis = 1 if name == "output" or name in problem.inputs else 0
    return value.index_select(axis, order)


def on_graph(graph: Graph, problem: Problem) -> Problem:
    """Return the same problem on a graph that may have lost some of its names."""
    return Problem(
        graph,
        problem.sizes,
        {p.name: problem.parameters[p.name] for p in graph.parameters},
        {c.name: problem.constants[c.name] for c in graph.constants},
        {i.name: problem.inputs[i.name] for i in graph.inputs},
        {s.name: problem.states[s.name] for s in graph.states},
    )


@given(drawn=drawn_cells(), seed=seeds)
@random_cells
def test_simplification_preserves_meaning(drawn: DrawnCell, seed: int):
    """The graph as written, without any folding, gives the same numbers."""
    problem = draw_problem(drawn.cell, Random(seed), unfolded(drawn.cell))
    folded = on_graph(drawn.cell.graph, problem)
    results, expected = folded.run(), problem.run()
    assert_close(results, {name: expected[name] for name in results})
    weights = problem.weights(torch.Generator().manual_seed(seed))
    weights |= {name: weights[name] * 0 for name in expected.keys() - results.keys()}
    gradients = problem.gradients(weights)
    assume(is_tame(gradients))
    ours = folded.gradients(weights)
    assert_close(ours, {name: gradients[name] for name in ours})
    gone = gradients.keys() - ours.keys()
    assert not any(gradients[name].any() for name in gone)


@pytest.mark.long
def test_gradients_equal_differences(
    cell_seed: int, record_property: Callable[[str, object], None]
):
    """The check passes for every drawn cell, but for a few that have no slope there."""
    undecided: list[str] = []
    for i in range(CELLS_CHECKED):
        random = Random(f"{cell_seed} {i}")
        text = draw_cell(random)
        cell = find(text)
        options = {"steps": 2, "seed": i, "backend": "reference"}
        report = check_gradients(cell, *lengths(cell, random), **options)
        said = f"--cell-seed={cell_seed}, cell {i}\n{text}\n{report}"
        assert report.compared, said
        assert report.worst.error <= report.bound, said
        if not report:
            undecided.append(said)
    record_property("undecided cells", f"{len(undecided)} of {CELLS_CHECKED}")
    assert len(undecided) <= UNDECIDED_AT_MOST * CELLS_CHECKED, "\n".join(undecided)


@given(drawn=drawn_cells(), seed=seeds)
@random_cells
def test_nan_stays_in_its_sample(drawn: DrawnCell, seed: int):
    """A NaN in one row changes no bit of the other rows, nor of their gradients."""
    random = Random(seed)
    problem = draw_problem(drawn.cell, random)
    rows = len(next(iter(problem.states.values())))
    ill = random.randrange(rows)
    healthy = torch.tensor([row for row in range(rows) if row != ill], dtype=torch.long)
    leaves = problem.leaves()
    for name in problem.inputs:
        leaves[name] = leaves[name].clone()
        leaves[name][:, ill] = torch.nan
    poisoned = problem.with_leaves(leaves)
    weights = problem.weights(torch.Generator().manual_seed(seed))
    for call in (Problem.run, lambda p: p.gradients(weights)):
        well, found = call(problem), call(poisoned)
        for name in well.keys() - problem.parameters.keys():
            one, other = (
                shuffle(name, v[name], problem, healthy) for v in (well, found)
            )
            assert torch.equal(one, other), name


@given(drawn=drawn_cells(), seed=seeds)
@random_cells
def test_without_biases_is_with_biases_of_zero(drawn: DrawnCell, seed: int):
    """bias=False gives the graph with every bias 0, gradients of the rest included."""
    problem = draw_problem(drawn.cell, Random(seed))
    zero = {p.name for p in problem.graph.parameters if p.role == "bias"}
    leaves = {
        name: torch.zeros_like(v) if name in zero else v
        for name, v in problem.leaves().items()
    }
    problem = problem.with_leaves(leaves)
    bare = on_graph(drawn.cell.specialise(bias=False), problem)
    results, full = bare.run(), problem.run()
    assert_close(results, {name: full[name] for name in results})
    weights = problem.weights(torch.Generator().manual_seed(seed))
    weights |= {name: weights[name] * 0 for name in full.keys() - results.keys()}
    gradients = problem.gradients(weights)
    assume(is_tame(gradients))
    ours = bare.gradients(weights)
    assert_close(ours, {name: gradients[name] for name in ours})


@given(drawn=drawn_cells())
@random_cells
def test_flat_text_is_the_same_cell(drawn: DrawnCell):
    """The text without its bases gives the same graph."""
    assert find(drawn.cell.flat_text).graph == drawn.cell.graph
