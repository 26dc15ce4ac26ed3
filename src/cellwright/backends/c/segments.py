"""Into what pieces a sequence is cut: chunks of gradients, segments of what is kept."""

from __future__ import annotations

CHUNK_ROWS = 2048
"""Rows, steps times batch, that the backward pass goes through at a time: their
gradients stay in the cache until the matrix products that need them."""


def chunk_steps(rows: int) -> int:
    """Return the steps of one chunk of the backward pass, for a batch of so many rows.

    Example:
        >>> chunk_steps(16), chunk_steps(5000)
        (128, 1)
    """
    return -(-CHUNK_ROWS // max(1, rows))


def segment_steps(steps: int, rows: int, states: int, residuals: int) -> int:
    """Return the steps from one kept state to the next, where the rest is made anew.

    A segment is a power of two times a chunk of the backward pass. Whole chunks,
    because then every sum has the order that it has without segments, and the same
    bits; and the backward pass holds the gradients of one chunk in any case. So many of
    them that the kept states, ``steps / length * states``, and what one segment is made
    anew in, ``length * residuals``, are about the same, where their sum is least.

    There is no square root in it, because a traced graph asks with symbols for numbers:
    comparisons hold for a range of lengths, and a root for one alone.

    Args:
        steps: of the sequence.
        rows: of the batch.
        states: entries of all states of a row.
        residuals: entries that the forward kernel writes at each step of a row.

    Example:
        >>> segment_steps(10_000, 16, states=256, residuals=768)
        128
        >>> segment_steps(10_000, 256, states=256, residuals=768)
        64
    """
    chunk = chunk_steps(rows)
    length = chunk
    # Twice the square: the nearest power of two, by its exponent.
    while 2 * length * length * max(1, residuals) < steps * states:
        length *= 2
    return length


def boundary_count(steps: int, length: int) -> int:
    """Return how many segments have one before them.

    Example:
        >>> [boundary_count(steps, 10) for steps in (0, 1, 10, 11, 20, 21)]
        [0, 0, 0, 1, 1, 2]
    """
    return max(steps - 1, 0) // length
