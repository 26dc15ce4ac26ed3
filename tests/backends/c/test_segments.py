"""Where a sequence is cut, so that its memory is least and its sums are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.backends.c.segments import (
    boundary_count,
    chunk_steps,
    segment_steps,
)

WHOLE = st.integers(1, 10**6)


@given(steps=WHOLE, rows=st.integers(0, 10**4), states=WHOLE, residuals=WHOLE)
def test_a_segment_is_where_memory_is_least(
    steps: int, rows: int, states: int, residuals: int
):
    """A power of two times a chunk, and no other one of them takes less."""
    length, chunk = segment_steps(steps, rows, states, residuals), chunk_steps(rows)

    def taken(length: int) -> int:
        # Times the length, so that whole numbers are compared.
        return steps * states * chunk + length * length * residuals * chunk

    assert length % chunk == 0
    assert (length // chunk).bit_count() == 1
    assert 2 * taken(length) <= taken(2 * length)
    assert length == chunk or taken(length) <= 2 * taken(length // 2)


def test_a_kernel_that_writes_nothing_has_segments():
    """The search for one comes to an end."""
    assert segment_steps(10**6, 1, 8, 0) == segment_steps(10**6, 1, 8, 1)


@pytest.mark.parametrize("steps", range(9))
def test_boundaries_are_between_segments(steps: int):
    """One for each segment but the first."""
    begins = range(0, steps, 3)
    assert boundary_count(steps, 3) == max(0, len(begins) - 1)
