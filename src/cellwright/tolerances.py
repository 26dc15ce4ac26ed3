"""How far two numbers that should be equal may lie apart: the only place that says so.

A row is keyed by what is compared and the dtype it was computed in. Errors are measured
by `error`: absolute below 1, relative to the largest expected entry above.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Tolerance:
    """One row: the largest `error` that still counts as equal, and why so large."""

    bound: float
    reason: str


TOLERANCES: dict[tuple[str, str], Tolerance] = {
    ("exact", "any"): Tolerance(
        0.0, "the same operations in the same order give the same bits"
    ),
    ("reference", "float64"): Tolerance(
        1e-12,
        "the same sums in another order: rounding of 1e-16, times the terms of a "
        "product, times the steps that a gradient crosses",
    ),
    ("reference", "float32"): Tolerance(
        1e-4, "as in float64, with a rounding of 6e-8 in place of 1e-16"
    ),
    ("c", "float64"): Tolerance(
        1e-11,
        "a kernel's sums in lanes and blocks, and its own exp and tanh, within 1e-14: "
        "ten times what the reference is allowed",
    ),
    ("c", "float32"): Tolerance(
        1e-4, "as in float64, with a rounding of 6e-8 in place of 1e-16"
    ),
    ("c beside the reference", "float32"): Tolerance(
        1e-5,
        "as above for a kernel's functions, right to 3e-7, where the reference's own "
        "distance from float64 is known and allowed for, see `kernel_bound`",
    ),
    ("processes", "float32"): Tolerance(
        1e-6,
        "the losses of the same batches in one process and in several, whose gradients "
        "are summed in another order, over 50 steps",
    ),
    ("replay", "float64"): Tolerance(
        1e-10,
        "torch.nn's own code and the cell's equations: rounding of 1e-16, which layers "
        "on one another and weights three times as large as usual carry on from step "
        "to step; measured up to 5e-12",
    ),
    ("replay", "float32"): Tolerance(
        1e-4,
        "as in float64, with a rounding of 6e-8; a network that makes more of it has "
        "no digits in float32 that could be shown",
    ),
    ("replay at its best", "float32"): Tolerance(
        2e-6,
        "as above for a network that carries no rounding on: measured up to 1.1e-6; "
        "where it does, its own distance from float64 is known and allowed for, see "
        "`replay_bound`",
    ),
    ("page", "float64"): Tolerance(
        1e-10,
        "a step of a page of `explain` and the layer's own: the same functions in the "
        "same precision, sums in another order",
    ),
    ("page", "float32"): Tolerance(
        1e-6,
        "a page computes a step in float64 from the numbers of a float32 layer, which "
        "rounds each of its own by 6e-8; in large pages numbers have 24 bits",
    ),
    ("rewritten", "float64"): Tolerance(
        1e-9,
        "one cell in two forms (simplified, batch permuted, sequence split): rounding, "
        "enlarged by layer_norm's slope of up to 316 (1 / sqrt(1e-5)) each time",
    ),
    ("forecast", "float64"): Tolerance(
        1e-10,
        "one least-squares fit computed in two ways: rounding of 1e-16, times the "
        "square root of the rows, times the condition of some lagged columns",
    ),
    ("three decimals", "float64"): Tolerance(
        5e-4, "a measured number that was written down with three decimals"
    ),
    ("spike counts", "float64"): Tolerance(
        0.05,
        "of a second, relative: rounding grows from spike to spike, so that neurons "
        "that begin 1e-9 apart spike up to 20 % more or less often, and the mean of "
        "many lies up to 4.2 % from the one count that a program gives",
    ),
    ("fold", "float64"): Tolerance(
        1e-15, "Python's and torch's own library functions, one rounding apart"
    ),
    ("vector functions", "float32"): Tolerance(
        3e-7,
        "relative, entry by entry: up to five roundings of 6e-8, and a series that "
        "leaves out 2e-8",
    ),
    ("vector functions", "float64"): Tolerance(
        1e-14, "as in float32, with roundings of 1.1e-16: what a kernel promises"
    ),
    ("vector powers", "float32"): Tolerance(
        5e-7, "relative, entry by entry: x**-8 is rounded eight times, by 6e-8 each"
    ),
    ("vector powers", "float64"): Tolerance(
        1e-14, "as in float32, with roundings of 1.1e-16: what a kernel promises"
    ),
    ("torch's gradgradcheck", "float64"): Tolerance(
        1e-6,
        "torch's differences of a gradient, one step of 1e-6 without extrapolation: "
        "rounding of 1e-16 / 1e-6 = 1e-10, times slopes of up to 316 twice",
    ),
    ("differences", "float64"): Tolerance(
        1e-8,
        "central differences, extrapolated: truncation of step**4 (1.6e-15) times a "
        "fifth derivative, and rounding of 1e-16 / step = 1e-12",
    ),
    ("differences", "float32"): Tolerance(
        1e-3, "the gradient in float32: rounding of 6e-8 through all steps and back"
    ),
}


OWN_ERRORS = 4.0
"""A kernel may be so many times as far from float64 as the reference in its dtype."""
OWN_REPLAYS = 10.0
"""A layer may be so many times as far from its replay as that is from float64.

Both round, and by another order of the sums: measured up to 4.4 times.
"""
STANDARD_ERRORS = 5.0
"""A mean of independent draws may be so many of its standard errors off.

Under 1 of 1.7 million seeds right draws are farther off, and tests fix the seed.
"""


def kernel_bound(dtype: str, own: float) -> float:
    """Return how far a kernel may be from the reference in float64.

    Args:
        dtype: of the kernel.
        own: the error of the reference in that dtype; 0 in float64.
    """
    if dtype == "float64":
        return TOLERANCES["c", dtype].bound
    return max(TOLERANCES["c beside the reference", dtype].bound, OWN_ERRORS * own)


def replay_bound(dtype: str, own: float) -> float:
    """Return how far a layer's replay may be from the layer itself.

    Args:
        dtype: of both.
        own: the distance of the replay from the same one in float64; 0 in float64.
    """
    most = TOLERANCES["replay", dtype].bound
    if dtype == "float64":
        return most
    best = TOLERANCES["replay at its best", dtype].bound
    return min(most, max(best, OWN_REPLAYS * own))


def error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest expected entry above 1.

    Equal infinities differ by 0; a NaN on one side only is an infinite error.

    Example:
        >>> error(torch.tensor([1.0, 20.0]), torch.tensor([1.0, 10.0]))
        1.0
    """
    if actual.shape != expected.shape:
        raise ValueError(f"shapes {list(actual.shape)} and {list(expected.shape)}")
    if actual.numel() == 0:
        return 0.0
    actual, expected = actual.detach().double(), expected.detach().double()
    same = (actual == expected) | (actual.isnan() & expected.isnan())
    apart = (actual - expected).abs().nan_to_num(nan=float("inf"))
    finite = expected[expected.isfinite()].abs()
    scale = max(1.0, float(finite.max())) if finite.numel() else 1.0
    return float(torch.where(same, 0.0, apart).max()) / scale
