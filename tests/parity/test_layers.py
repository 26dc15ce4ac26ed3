"""Layers on kernels give the numbers and the gradients of the float64 reference."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any
from unittest import mock

import pytest
import torch

from cellwright.backends.c.levels import Level, runnable_levels
from cellwright.backends.c.program import Program
from cellwright.cells import names
from pairwise import pairwise
from parity_cases import (
    FACTORS,
    Case,
    at_level,
    case_of,
    draw_arguments,
    too_far,
)


def rows_of_factors(levels: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows in which any two values of any two factors meet.

    A cell's level hangs on its dtype, because a compiler takes a second for each
    kernel: with two levels a cell has two kinds of them in place of four.
    """
    free = {name: values for name, values in FACTORS.items() if name != "level"}
    rows: list[dict[str, Any]] = []
    for row in pairwise(free):
        cell, dtype, units = (
            FACTORS[name].index(row[name]) for name in ("cell", "dtype", "H")
        )
        level = levels[(cell + dtype + 2 * (units % 2)) % len(levels)]
        rows.append({**row, "level": level})
    for level, (name, values) in product(levels, free.items()):
        for value in values:
            those = [row for row in rows if row[name] == value]
            if all(row["level"] != level for row in those):
                rows.append({**those[0], "level": level})
    return rows


CASES = [case_of(row) for row in rows_of_factors(FACTORS["level"])]


@pytest.mark.parametrize("count", range(1, 5))
def test_the_cases_cover_all_pairs(count: int):
    """Any two values of any two factors meet in a case, on any number of levels."""
    levels = [str(level) for level in range(count)]
    rows, factors = rows_of_factors(levels), {**FACTORS, "level": levels}
    for a, b in combinations(factors, 2):
        met = {(row[a], row[b]) for row in rows}
        assert len(met) == len(factors[a]) * len(factors[b]), (a, b)


def test_every_cell_runs_on_kernels_forward_and_back():
    """No cell of the library is left out; that kernels run is asserted in each case."""
    assert {case.cell for case in CASES} == set(names())


# Cases of one level and cell stand together, so that they find their kernels loaded.
@pytest.mark.parametrize("case", sorted(CASES, key=str), ids=str)
def test_kernels_equal_the_reference(case: Case):
    """Output, last states and the gradient of everything are within the table."""
    with at_level(case.level):
        assert too_far(case) == {}


@pytest.mark.parametrize("level", runnable_levels(), ids=lambda each: each.name)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_single_row_of_many_units(cell: str, level: Level):
    """Weights that are not all in the first cache: tiles come back and forth."""
    row = {name: values[0] for name, values in FACTORS.items()}
    case = case_of({**row, "cell": cell, "level": level.name, "T": 5, "B": 1, "H": 133})
    with at_level(case.level):
        assert too_far(case) == {}


def test_what_reports_c_runs_kernels():
    """Two layers in two directions are four runs of a compiled program."""
    row = {name: values[0] for name, values in FACTORS.items()}
    case = case_of({**row, "cell": "gru", "num_layers": 2, "bidirectional": True})
    layer = case.layer(torch.float32, "c")
    run = Program.forward
    with mock.patch.object(Program, "forward", autospec=True, side_effect=run) as runs:
        layer(draw_arguments(case).x)

    assert runs.call_count == 4
