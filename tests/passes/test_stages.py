"""What need not wait for the step before is done for a block of steps at once."""

import pytest

from cellwright.cells import find, load
from cellwright.ir.graph import Graph
from cellwright.passes.phases import Whole
from cellwright.passes.pipeline import compile_graph
from cellwright.passes.stages import Stage

HEAD = (
    "size input_size = hidden_size\ninput x [input_size]\nstate h [hidden_size]\n"
    "weight W, U, V [hidden_size, hidden_size]\n"
)


def work(graph: Graph, direction: str = "forward") -> dict[Stage, list[str]]:
    """Return the ops of each stage's phases, matrix products and row reductions."""
    pipeline = compile_graph(graph)
    step = pipeline.forward if direction == "forward" else pipeline.backward
    assert step is not None
    found: dict[Stage, list[str]] = {}
    for stage, phases in step.schedule.phases.items():
        names = [
            str(step.schedule.graph.nodes[node].op)
            for phase in phases
            for node in (
                [phase.node]
                if isinstance(phase, Whole)
                else [a.node for a in phase.accumulators]
            )
        ]
        found[stage] = names
    return found


@pytest.mark.parametrize(
    ("equations", "ahead", "step", "behind"),
    [
        ("output h'\nh' = tanh(W @ x + U @ h + V @ x)\n", 1, 1, 0),
        ("output y\nh' = tanh(U @ h + x)\ny = V @ h' + W @ x\n", 1, 1, 1),
        ("output y\nh' = tanh(U @ h + W @ h)\ny = V @ h + x\n", 0, 1, 1),
        ("output h'\nh' = tanh(U @ h + W @ (V @ x))\n", 2, 1, 0),
        ("output y\nh' = tanh(U @ h + x)\ny = V @ tanh(W @ h')\n", 0, 1, 2),
        ("output h'\nh' = U @ (h + W @ x) + V @ h\n", 1, 1, 0),
    ],
)
def test_products_stand_where_they_need_not_wait(
    equations: str, ahead: int, step: int, behind: int
):
    """Ahead what no state has a part in, behind what has none in a state."""
    found = work(find(HEAD + equations).graph)
    counts = [len(found[s]) for s in (Stage.AHEAD, Stage.STEP, Stage.BEHIND)]
    assert counts == [ahead, step, behind]


def test_reductions_of_what_is_given_are_ahead():
    """A layer norm of W @ x does not wait, nor does what it is made of."""
    found = work(load("lstm_norm_joint").graph)
    assert found[Stage.AHEAD].count("row_sum") == 2
    assert found[Stage.STEP].count("row_sum") == 4


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_proj", "slstm"])
def test_the_gradient_of_x_is_behind(name: str):
    """No earlier step hangs on it."""
    found = work(load(name).graph, "backward")
    assert found[Stage.BEHIND]
    assert all(op in ("matmul", "add") for op in found[Stage.BEHIND])


def test_a_cell_without_a_product_in_its_loop_has_none():
    """Elementwise cells multiply ahead of their steps only."""
    for name in ("min_gru", "min_lstm", "qrnn_pool", "sru"):
        assert not work(load(name).graph)[Stage.STEP]
