"""The table of tolerances, and how errors are measured against it."""

import math

import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error


def test_every_row_has_a_reason():
    """No number stands in the table without saying why it is so large."""
    for (what, _), row in TOLERANCES.items():
        # A count of spikes is no rounding error, but a draw that hangs on some.
        assert 0 <= row.bound <= (5e-2 if what == "spike counts" else 1e-2)
        assert len(row.reason.split()) >= 5


def test_errors_are_absolute_below_one_and_relative_above():
    """Small numbers are compared as they are, large ones by their size."""
    assert error(torch.tensor([0.25]), torch.tensor([0.0])) == 0.25
    assert error(torch.tensor([150.0, 0.0]), torch.tensor([100.0, 0.0])) == 0.5


def test_infinities_and_nans():
    """Only equal infinities and NaNs are equal; anything else is infinitely wrong."""
    special = torch.tensor([math.inf, -math.inf, math.nan, 1.0])
    assert error(special, special) == 0
    for position in range(4):
        other = special.clone()
        other[position] = 0.0 if position < 3 else math.nan
        assert error(other, special) >= 1e30


def test_shapes_must_be_equal():
    """A shape that broadcasts is a fault, and nothing at all has no error."""
    with pytest.raises(ValueError, match=r"\[1\] and \[2\]"):
        error(torch.zeros(1), torch.zeros(2))
    assert error(torch.zeros(0, 3), torch.zeros(0, 3)) == 0
