"""Layers that slide: convolutions and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cellwright.explain.arithmetic import times
from cellwright.explain.facts import Factor, Product

from .told import NOTHING, Seen, Told

AXES = (
    ("batch", "channels", "time"),
    ("batch", "channels", "height", "width"),
    ("batch", "channels", "depth", "height", "width"),
)


def convolution(module: Any, seen: Seen) -> Told:
    """Tell a convolution of one, two or three dimensions."""
    kernel, filters = tuple(module.kernel_size), module.out_channels
    each = module.in_channels // module.groups
    weights = Product((each, *kernel), "weights", ("weight",))
    parts = [weights]
    if module.bias is not None:
        parts.append(Product((), "bias", ("bias",)))
    window = "×".join(map(str, kernel))
    patch = each * math.prod(kernel)
    remarks = [
        (
            f"{filters} filters give {filters} maps: each filter passes over all "
            f"places, with the same {patch} weights at each of them"
        ),
        (
            f"at one place a filter sees {window} values of "
            f"{_channels(each, module.in_channels)}: {patch} numbers, so of {filters} "
            f"filters at most {min(patch, filters)} are independent before the next "
            "nonlinearity"
        ),
    ]
    adds = None
    if seen.gives:
        batch, _, *places = seen.gives[0]
        factors = [Factor(batch, "rows"), Factor(math.prod(places), "places")]
        adds = times([*factors, Factor(filters, "filters")], [weights])
        remarks.append(f"{'×'.join(map(str, places))} places each")
    axes = AXES[len(kernel) - 1]
    count = times([Factor(filters, "filters")], parts)
    return Told(count, adds, tuple(remarks), axes, axes)


def _channels(each: int, all_of_them: int) -> str:
    if each < all_of_them:
        return f"{each} of the {all_of_them} channels"
    return "the one channel" if each == 1 else f"all {each} channels"


def pooling(module: Any, seen: Seen) -> Told:
    """Tell a pooling layer."""
    if not (seen.takes and seen.gives):
        return Told(NOTHING, NOTHING)
    before, after = seen.takes[0][2:], seen.gives[0][2:]
    axes = AXES[len(before) - 1]
    what = "the largest" if "Max" in type(module).__name__ else "the mean"
    return Told(
        NOTHING,
        NOTHING,
        (f"{_size(before)} places become {_size(after)}, {what} of each window",),
        axes,
        axes,
    )


def _size(places: Sequence[int]) -> str:
    return "×".join(map(str, places))
