"""Layers on kernels give the numbers and the gradients of the float64 reference."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from random import Random
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

SWITCHES = ("dtype", "reset", "zoneout", "kept")
"""What another kernel is built for, beside the level."""
KEPT = (("mask",), ("lengths",), ("mask", "lengths"))
"""What may say that a step does not happen, which is one kind of kernel."""


def rows_of_factors(levels: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows in which any two values of any two factors meet.

    A compiler takes a second for each kernel. So a cell has not all kinds of them but
    a few, with all that decides a kernel's text turned around from one to the next.
    """
    decided = ("level", "mask", "lengths", *SWITCHES)
    free = {name: values for name, values in FACTORS.items() if name not in decided}
    free |= {"kind": range(max(2, len(levels))), "by": KEPT}
    rows = [_with_kind(row, levels) for row in pairwise(free)]
    draws = Random(0)
    for a, b in combinations(FACTORS, 2):
        for pair in product(*(levels if f == "level" else FACTORS[f] for f in (a, b))):
            found = rows
            while all((row[a], row[b]) != pair for row in found):
                drawn = {name: draws.choice(values) for name, values in free.items()}
                found = [_with_kind(drawn, levels)]
            if found is not rows:
                rows += found
    return rows


def _with_kind(row: Mapping[str, Any], levels: Sequence[str]) -> dict[str, Any]:
    """Return a row of the free factors with the others, as the cell's kind says."""
    place, kind = FACTORS["cell"].index(row["cell"]), row["kind"]
    on = {name: (place >> bit) + kind & 1 for bit, name in enumerate(SWITCHES)}
    decided = {name: FACTORS[name][on[name]] for name in SWITCHES if name in FACTORS}
    decided |= {name: bool(on["kept"]) and name in row["by"] for name in KEPT[-1]}
    level = levels[(place // 3 + kind) % len(levels)]
    free = {name: row[name] for name in FACTORS if name in row}
    return {**free, **decided, "level": level}


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
