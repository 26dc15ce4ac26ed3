"""What the passes have made of a cell, in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backward_reference import CASES, case_id, drawn
from cellwright.cells import load
from cellwright.passes.phases import Loop
from cellwright.passes.pipeline import Back, Forward, compile_graph
from cellwright.passes.words import describe, describe_passes, describe_schedule

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    "name", ["lstm", "gru", "slstm", "lstm_norm_joint", "rhn", "lstm_proj"]
)
def test_golden_texts(name: str, golden: Callable[[Path, str], None]):
    """Formulas and phases are what a person has looked at."""
    pipeline = compile_graph(load(name).graph)
    text = f"{describe_passes(pipeline)}\n\n{describe_schedule(pipeline)}\n"
    golden(GOLDEN / f"{name}.txt", text)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_every_phase_has_a_line(case: tuple[str, str], cell_seed: int):
    """One line a phase, and whatever is read has been said before."""
    _, problem, _ = drawn(case, cell_seed)
    pipeline = compile_graph(problem.graph)
    assert pipeline.backward is not None
    for step in (pipeline.forward, pipeline.backward):
        lines = describe(step.schedule, step.names).splitlines()
        kinds = ("  loop", "  move: ", "  reduce: ")
        assert_told(step, [line for line in lines if line.startswith(kinds)])
    assert max(map(len, describe_passes(pipeline).splitlines())) < 4000


def assert_told(step: Forward | Back, phases: list[str]) -> None:
    """Each phase's line names all that it keeps and puts out."""
    told = [phase for stage in step.schedule.phases.values() for phase in stage]
    for phase, line in zip(told, phases, strict=True):
        if not isinstance(phase, Loop):
            continue
        verbs = {part.split(" ")[0] for part in line.partition(": ")[2].split("; ")}
        assert ("accumulate" in verbs) == bool(phase.accumulators)
        assert ("keep" in verbs) == bool(phase.kept)
        assert ("put" in verbs) == any(
            n in step.schedule.outputs for n in phase.written
        )
        for node in phase.kept:
            if step.schedule.graph.nodes[node].op != "const":
                assert step.names[node] in line


def test_without_gradients_there_is_no_backward_part():
    """A forward pass alone is said alone."""
    pipeline = compile_graph(load("elman").graph, gradients="none")
    assert describe_passes(pipeline).splitlines() == [
        "forward",
        "  h' = tanh(b + W @ x + U @ h)",
        "  next h = h'",
    ]
    assert "backward" not in describe_schedule(pipeline)
