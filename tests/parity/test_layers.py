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

SWITCHES = ("dtype", "reset", "zoneout", "x_grad", "masked")
"""What another kernel is built for, beside the level."""
MASKED_BY = (("mask",), ("lengths",), ("mask", "lengths"))
"""What may say that a step does not happen: all of it is one kind of kernel."""
DRAWS = 100_000
"""Of rows that still lack something: one in a few thousand has it."""


def rows_of_factors(levels: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows in which any two values of any two factors meet.

    A compiler takes a second for each kernel. So a cell has not all kinds of them but
    two, or one a level, every switch turned from one to the next; and each kind is seen
    with several rows and steps.
    """
    factors = {**FACTORS, "level": levels}
    decided = ("level", "mask", "lengths", *SWITCHES)
    free = {name: values for name, values in FACTORS.items() if name not in decided}
    free |= {"kind": range(max(2, len(levels))), "masked_by": MASKED_BY}
    wanted = [
        {a: x, b: y}
        for a, b in combinations(factors, 2)
        for x, y in product(factors[a], factors[b])
    ]
    wanted += [
        {"cell": cell, "kind": kind, "several": True}
        for cell, kind in product(free["cell"], free["kind"])
    ]
    rows = [_with_kind(row, levels) for row in pairwise(free)]
    random = Random(0)
    drawn = (
        _with_kind({name: random.choice(free[name]) for name in free}, levels)
        for _ in range(DRAWS)
    )
    for want in wanted:
        if not any(want.items() <= row.items() for row in rows):
            rows.append(next(row for row in drawn if want.items() <= row.items()))
    return [{name: row[name] for name in factors} for row in rows]


def _with_kind(row: Mapping[str, Any], levels: Sequence[str]) -> dict[str, Any]:
    """Return a row of the free factors with all that its cell and kind decide."""
    place, kind = FACTORS["cell"].index(row["cell"]), row["kind"]
    on = {name: ((place >> bit) + kind) % 2 for bit, name in enumerate(SWITCHES)}
    masks = {
        name: bool(on["masked"]) and name in row["masked_by"] for name in MASKED_BY[-1]
    }
    return {
        **row,
        **{name: FACTORS[name][on[name]] for name in SWITCHES if name in FACTORS},
        **masks,
        # By thirds: a power of two would give each level one value of a switch.
        "level": levels[(place // 3 + kind) % len(levels)],
        "several": row["B"] > 1 and row["T"] > 1,
    }


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


LARGE = [
    case_of(
        {name: values[-1] for name, values in FACTORS.items()}
        | {"cell": cell, "level": FACTORS["level"][0], "H": 50}
    )
    for cell in ("lstm", "gru")
]


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_all_that_there_is_at_once(case: Case):
    """Whatever was drawn above, two cells have seen every option and many rows."""
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
