"""What was measured, in lines: a label, and what is to be said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from cellwright.tolerances import TOLERANCES

from .facts import Alike, Descent, Extent, Measured, Reach, Spread, Twins, Working

T = TypeVar("T", Spread, Twins, Extent, Alike, Reach, Working)

MOST_TERMS = 8
"""Products of a unit that are written out; more are summed."""


def measured_rows(found: Measured, path: str) -> Iterator[tuple[str, str]]:
    """Yield what was measured of a layer.

    Args:
        found: all that was.
        path: where the layer is; empty for a module that is itself the only one.
    """

    def own(each: tuple[T, ...]) -> Iterator[T]:
        return (one for one in each if not path or one.path == path)

    yield from (("spread", _spread(each)) for each in own(found.spreads))
    yield from (("twins", _twins(each)) for each in own(found.twins))
    yield from (("range", _extent(each)) for each in own(found.extents))
    yield from (("by steps", _alike(each)) for each in own(found.alike))
    yield from (("reaches", _reach(each)) for each in own(found.reaches))
    yield from ((f"unit {each.unit}", _working(each)) for each in own(found.workings))


def network_rows(found: Measured) -> Iterator[tuple[str, str]]:
    """Yield what was measured of a network as a whole."""
    for each in found.descents:
        yield f"rate {each.rate:g}", _descent(each)
        listed = ", ".join(f"{name} by {most:.3g}" for name, most in each.moved)
        yield "moved", f"at most, {listed}"


def _spread(found: Spread) -> str:
    off = (
        f"; {found.off} of {found.units} units give 0 for every row"
        if found.off
        else ""
    )
    return (
        f"what it gives has mean {found.mean:.3g} and standard deviation "
        f"{found.deviation:.3g}{off}"
    )


def _twins(found: Twins) -> str:
    if found.units == 1:
        return "its one unit has no other that could be like it"
    if not found.groups:
        return f"no two of its {found.units} units have the same weights"
    listed = "; ".join(_some(group) for group in found.groups)
    steps = f"{found.steps} steps down the gradient"
    if found.apart <= TOLERANCES["reference", "float64"].bound:
        return f"units {listed} have the same weights, and {steps} leave them the same"
    return (
        f"units {listed} have the same weights, and {steps} part them, by "
        f"{found.apart:.3g}"
    )


def _some(group: tuple[int, ...]) -> str:
    if len(group) <= MOST_TERMS:
        return ", ".join(map(str, group))
    return f"{group[0]}, {group[1]}, … {group[-1]} ({len(group)} of them)"


def _extent(found: Extent) -> str:
    where = f"{found.state} is between {found.least:.3g} and {found.most:.3g}"
    if found.apart is None:
        return where
    return f"{where}, and up to {found.apart:.3g} from the same unit's h"


def _alike(found: Alike) -> str:
    what = (
        f"a loop of {found.loop} with the same weights"
        if found.loop.startswith("nn.")
        else "called with one step at a time and the states of the call before"
    )
    if found.apart <= found.bound:
        return (
            f"{what}: all {found.steps} outputs are the same, to {found.bound:g} in "
            "float64"
        )
    return f"{what}: outputs of {found.steps} steps differ by {found.apart:.3g}"


def _reach(found: Reach) -> str:
    how = (
        f"in one call of {found.steps} steps"
        if found.window is None
        else f"in calls of {found.window} with the states carried on, {found.steps} in "
        "all"
    )
    if found.reach is None:
        return f"{found.state}, {how}: {found.finding}"
    return (
        f"{found.state}, {how}: the last output's gradient is above 1 % of its largest "
        f"norm back to k={found.reach}; {found.finding}"
    )


def _working(found: Working) -> str:
    shown = [f"{w:.4g}×{_factor(x)}" for w, x in found.pairs[:MOST_TERMS]]
    rest = found.pairs[MOST_TERMS:]
    if rest:
        shown.append(f"{_factor(sum(w * x for w, x in rest))} from {len(rest)} more")
    if found.bias is not None:
        shown.append(f"{_factor(found.bias)}, its bias, which is learned as they are")
    return f"of the first row: {' + '.join(shown)} = {found.value:.4g}"


def _factor(number: float) -> str:
    return f"{number:.4g}" if number >= 0 else f"({number:.4g})"


def _descent(found: Descent) -> str:
    way = "falls" if found.after < found.before else "grows"
    return (
        f"one step of gradient descent moves {len(found.moved)} tensors together, and "
        f"the loss {way} from {found.before:.3g} to {found.after:.3g}"
    )
