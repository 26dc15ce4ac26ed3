"""Kernels of random and of small odd cells give the reference's numbers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from cell_statistics import features, table
from cellwright.backends.c.levels import Level, best_level, runnable_levels
from cellwright.cells import find
from cellwright.compiler.plan import pipeline
from cellwright.nn.options import resolve_sizes
from drawn_kernels import Drawn, compare, draw
from edge_cells import EDGES
from kernel_edges import KERNEL_EDGES
from many_kernels import file_names, own_part, source_of
from strategies import draw_problem

UNITS = 5
CELLS = 15
"""Of one translation unit."""
UNDECIDED_AT_MOST = 3
"""Of one unit. Of 5,000 random cells some ten were undecided, see
`studies/parity_random_cells.md`: more than 3 of 15 is chance once in 10**7 runs."""


@pytest.mark.long
@pytest.mark.parametrize("unit", range(UNITS))
def test_random_cells(
    cell_seed: int, unit: int, record_property: Callable[[str, object], None]
):
    """Values, traces and all gradients are equal, at every level in turn.

    And they have the same bits where the backward pass makes anew what it reads, and
    where none follows.
    """
    levels = runnable_levels()
    drawn = [draw(f"{cell_seed} {unit * CELLS + i}") for i in range(CELLS)]
    found = compare(drawn, levels[unit % len(levels)], optimise=int(unit == 0))
    pairs = list(zip(drawn, found, strict=True))

    assert [
        f"{d}\n{c.errors}" for d, c in pairs if not c.equal and not c.undecided
    ] == []
    assert [f"{d}\n{c.anew}" for d, c in pairs if c.anew] == []
    assert [f"{d}\n{c.followed}" for d, c in pairs if c.followed] == []
    undecided = [str(d) for d, c in pairs if c.undecided]
    assert len(undecided) <= UNDECIDED_AT_MOST, "\n".join(undecided)
    if unit == 0:
        counts: Counter[str] = Counter()
        for one in drawn:
            counts.update(features(find(one.text).graph, one.text))
        record_property("random cells", f"on kernels: {table(counts, CELLS)}")


@pytest.mark.long
@pytest.mark.parametrize("level", runnable_levels(), ids=lambda each: each.name)
def test_small_odd_cells(level: Level):
    """What random cells rarely have, beyond a vector of each level."""
    every = {**EDGES, **KERNEL_EDGES}.items()
    assert_equal([edge(name, text, "many") for name, text in every], level)


@pytest.mark.long
def test_small_odd_cells_without_traces():
    """No value has a gradient that arrives, and x asks for none.

    Each cell has its smallest size, of fewer units than a vector has lanes.
    """
    every = {**EDGES, **KERNEL_EDGES}.items()
    cells = [edge(name, text, "few") for name, text in every]
    plain = [
        replace(c, problem=replace(c.problem, trace=(), asks=False)) for c in cells
    ]
    assert_equal(plain, best_level())


def assert_equal(cells: list[Drawn], level: Level) -> None:
    """Fail unless all give the reference's numbers, and the first row alone too."""
    alone = [replace(one, problem=one.problem.first_row) for one in cells]
    found = compare([*cells, *alone], level, optimise=0)

    apart = [
        f"{one}\n{compared.errors}, {compared.anew}, {compared.followed}"
        for one, compared in zip([*cells, *alone], found, strict=True)
        if not compared.equal or compared.anew or compared.followed
    ]
    assert apart == []


def edge(name: str, text: str, lanes: str) -> Drawn:
    """Return a small cell and what it runs on."""
    cell = find(text)
    units, heads = (2, 2) if lanes == "few" else (22, 35)
    free = {s.name for s in cell.graph.sizes if (s.derived, s.default) == (None, None)}
    derived = [s.derived for s in cell.graph.sizes if s.name == "input_size"]
    input_size = 3
    if derived and derived[0] is not None:
        input_size = derived[0].evaluate({"hidden_size": units})
    options = {name: n for name, n in (("heads", heads), ("m", 5)) if name in free}
    sizes = resolve_sizes(cell, cell.graph, input_size, units, options)
    problem = draw_problem(cell, Random(name), steps=4, batch=7, sizes=sizes)
    known = [
        v.name
        for v in problem.graph.values
        if len(problem.graph.nodes[v.node].shape) <= 1
    ]
    return Drawn(name, text, replace(problem, trace=tuple(known)))


def test_every_name_of_a_kernel_is_its_own():
    """Two kernels of one text share nothing but what all kernels share."""
    one = source_of(pipeline(find("lstm").graph), "forward")
    names = set(file_names(own_part(one, 0)))

    assert {"Run", "Frame", "step", "run_piece", "cellwright_run", "ROOTS"} <= names
    assert not names & {"load", "store", "v_tanh", "LANES", "real"}
