"""What was measured, in lines: a label, and what is to be said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from cellwright.explain.arithmetic import counted
from cellwright.tolerances import TOLERANCES

from .facts import Alike, Descent, Extent, Measured, Reach, Spread, Twins, Working

T = TypeVar("T", Spread, Twins, Extent, Alike, Reach, Working)

MOST_TERMS = 8
"""Products of a unit that are written out; more are summed."""


def measured_rows(found: Measured, path: str) -> Iterator[tuple[str, str]]:
    """Yield what was measured of a layer.

    Args:
        found: all that was.
        path: where the layer is; empty for the module itself.
    """

    def own(each: tuple[T, ...]) -> Iterator[T]:
        return (one for one in each if one.path == path)

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
        if not each.moved:
            continue
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
    pairs = zip(found.groups, found.apart, strict=True)
    return "; ".join(_group(units, apart, found.steps) for units, apart in pairs)


def _group(units: tuple[int, ...], apart: float | None, steps: int) -> str:
    alike = f"units {_some(units)} have the same weights, and"
    if apart is None:
        return f"{alike} no gradient of this network's outputs reaches them"
    way = f"{steps} steps down the gradient, in evaluation,"
    if apart <= TOLERANCES["reference", "float64"].bound:
        return f"{alike} {way} leave them the same"
    return f"{alike} {way} part them, by {apart:.3g}"


def _some(group: tuple[int, ...]) -> str:
    if len(group) <= MOST_TERMS:
        return ", ".join(map(str, group))
    return f"{group[0]}, {group[1]}, … {group[-1]} ({len(group)} of them)"


def _extent(found: Extent) -> str:
    call = f" of call {found.call}" if found.call else ""
    where = f"{found.state}{call} is between {found.least:.3g} and {found.most:.3g}"
    if found.apart is None:
        return where
    return f"{where}, and up to {found.apart:.3g} from the same unit's h"


def _alike(found: Alike) -> str:
    what = (
        f"a loop of {found.loop} with the same weights"
        if found.loop.startswith("nn.")
        else "called with one step at a time and the states of the call before"
    )
    many = f"all {found.steps} outputs are" if found.steps > 1 else "its one output is"
    if found.apart <= found.bound:
        return f"{what}: {many} the same, to {found.bound:g} in float64"
    return (
        f"{what}: outputs of {counted(found.steps, 'step')} differ by {found.apart:.3g}"
    )


def _reach(found: Reach) -> str:
    how = f"over {counted(found.steps, 'step')}"
    if found.window is not None and found.window < found.steps:
        how = f"{how} in calls of {found.window}, with the states carried on"
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
        learned = ", which is learned as they are" if found.trained else ""
        shown.append(f"{_factor(found.bias)}, its bias{learned}")
    return f"of the first row: {' + '.join(shown)} = {found.value:.4g}"


def _factor(number: float) -> str:
    return f"{number:.4g}" if number >= 0 else f"({number:.4g})"


def _descent(found: Descent) -> str:
    many = counted(len(found.moved), "tensor")
    start = f"one step of gradient descent moves {many} together, and the loss"
    before = f"{found.before:.3g}"
    if found.after is None:
        return f"{start} goes from {before} to no number at all"
    if found.after == found.before:
        return f"{start} stays at {before}"
    way = "falls" if found.after < found.before else "grows"
    return f"{start} {way} from {before} to {found.after:.3g}"
