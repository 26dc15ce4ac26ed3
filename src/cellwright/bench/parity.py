"""Whether a contender computes what it should: before, and never after, it is timed."""

from __future__ import annotations

from cellwright.checks.tolerances import TOLERANCES, error

from .contender import Contender

BOUND = TOLERANCES["c", "float32"].bound


def fault(contender: Contender, steps: int) -> str | None:
    """Return what is wrong with what a contender computes, None if nothing is.

    Its output and every gradient that it gives are compared.

    Args:
        contender: who.
        steps: so many first steps are compared.
    """
    if contender.compute is None or contender.expected is None:
        return None
    found, expected = contender.compute(steps), contender.expected(steps)
    if "output" not in found:
        return "there is no output"
    for name, value in found.items():
        if name not in expected:
            return f"{name}: there is none to compare with"
        if value.shape != expected[name].shape:
            shapes = list(value.shape), list(expected[name].shape)
            return f"{name}: is {shapes[0]}, expected {shapes[1]}"
        # A NaN is an infinite error.
        off = error(value, expected[name])
        if not off <= BOUND:
            return f"{name}: off by {off:.3g}, more than {BOUND:g}"
    return None
