import math
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES
from vector_library import Array, Library

LOG2 = math.log(2)
# Where the functions change their way: clamps, overflow, underflow, whole numbers.
LIMITS = (
    *(20.0, 22.0, 44.0, 50.0, 87.33655, 88.72284, 89.0, 103.9721, 104.0),
    *(708.3964185322641, 709.782712893384, 710.0, 745.1332191019411, 746.0),
    *(0.5, 1.0, 1.5, 2.0**22, 2.0**23, 2.0**24, 2.0**51, 2.0**52, 2.0**53),
)


def log_sigmoid(x: Array) -> Array:
    """Return log(sigmoid(x)), right for large and small arguments."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), which is exp(x) where that is tiny."""
    return np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x)))


NUMPY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda x: -log_sigmoid(-x),
    "log_sigmoid": log_sigmoid,
    "sin": np.sin,
    "cos": np.cos,
}
"""What a function of floats is, computed in float64."""

EXACT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "floor": torch.floor,
    "abs": torch.abs,
    "relu": torch.relu,
}

MPMATH: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x))),
    "log_sigmoid": lambda x: min(x, 0) - mpmath.log1p(mpmath.exp(-abs(x))),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
"""What a function of doubles is, for finite arguments."""

SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan)
# The values at 0, -0, inf and -inf; NaN is NaN.
VALUES: dict[str, tuple[float, float, float, float]] = {
    "exp": (1, 1, math.inf, 0),
    "log": (-math.inf, -math.inf, math.inf, math.nan),
    "sqrt": (0, -0.0, math.inf, math.nan),
    "tanh": (0, -0.0, 1, -1),
    "sigmoid": (0.5, 0.5, 1, 0),
    "softplus": (LOG2, LOG2, math.inf, 0),
    "log_sigmoid": (-LOG2, -LOG2, 0, -math.inf),
    "sin": (0, -0.0, math.nan, math.nan),
    "cos": (1, 1, math.nan, math.nan),
    "floor": (0, -0.0, math.inf, -math.inf),
    "abs": (0, 0, math.inf, math.inf),
    "relu": (0, -0.0, math.inf, 0),
}


def neighbours(centres: Array) -> Array:
    """Return some numbers and those next to them, of both signs."""
    integer = np.dtype(f"int{8 * centres.dtype.itemsize}")
    steps = np.arange(-4, 5).astype(integer)
    near = (np.abs(centres).view(integer)[:, None] + steps).view(centres.dtype).ravel()
    return np.concatenate([near, -near])


def seams(dtype: np.dtype) -> Array:
    """Return the numbers around which a range reduction or a branch changes."""
    halves = np.arange(1, 2160) / 4 * LOG2
    information = np.finfo(dtype)
    exponents = np.arange(information.minexp, information.maxexp).astype(dtype)
    roots = dtype.type(0.5) ** dtype.type(0.5) * dtype.type(2) ** exponents
    edges = np.array([*LIMITS, information.max, information.tiny])
    return np.concatenate(
        [
            neighbours(part.astype(dtype))
            for part in (halves, roots, edges, 2.0 * np.arange(1, 9) * information.tiny)
        ]
    )


@cache
def arguments(dtype: np.dtype, count: int) -> Array:
    """Return numbers of every size and sign, special values and seams among them."""
    rng = np.random.default_rng(0)
    integer = np.dtype(f"int{8 * dtype.itemsize}")
    information = np.iinfo(integer)
    bits = rng.integers(information.min, information.max, count, integer)
    widths = [4.0, 120.0, 800.0]
    lines = [np.linspace(-w, w, count // 2 + 1).astype(dtype) for w in widths]
    special = np.array(SPECIAL, dtype)
    return np.concatenate([bits.view(dtype), *lines, seams(dtype), special])


@cache
def float_points(name: str) -> tuple[Array, Array]:
    """Return floats and, in float64, a function of them."""
    x = arguments(np.dtype("float32"), 200_000)
    with np.errstate(all="ignore"):
        return x, NUMPY[name](x.astype(np.float64))


@cache
def double_points(name: str) -> tuple[Array, Array]:
    """Return doubles and a function of them, rounded once."""
    rng = np.random.default_rng(1)
    x = arguments(np.dtype("float64"), 2_000)
    x = x[np.isfinite(x)]
    x = np.concatenate([x[:6_000], rng.permutation(x[6_000:])[:3_000]])
    if name in ("log", "sqrt"):
        x = x[x > 0]
    # Beyond that exp(x) is 0 or infinite, and mpmath would count millions of digits.
    if name not in ("log", "sqrt", "sin", "cos"):
        x = np.clip(x, -2_000, 2_000)
    with mpmath.workprec(120):
        return x, np.array([float(MPMATH[name](mpmath.mpf(float(v)))) for v in x])


def relative_errors(actual: Array, expected: Array) -> Array:
    """Return each entry's error, relative to itself or the smallest normal number.

    Expected is what the result would be in float64. A result is right if it is the
    same infinity or NaN, or 0 where no normal number is near.
    """
    information = np.finfo(actual.dtype)
    with np.errstate(all="ignore"):
        rounded = expected.astype(actual.dtype)
        found = actual.astype(np.float64)
        size = np.maximum(np.abs(expected), information.tiny)
        errors = np.abs(found - expected) / size
    flushed = (np.abs(expected) < information.tiny) & (actual == 0)
    same = (actual == rounded) & ~np.isfinite(actual)
    errors[flushed | same | (np.isnan(actual) & np.isnan(rounded))] = 0
    return np.nan_to_num(errors, nan=np.inf, posinf=np.inf)


def compare(
    x: Array, actual: Array, expected: Array, row: str, record: Callable[..., None]
) -> None:
    """Hold the largest relative error against a row of the table, and record it."""
    errors = relative_errors(actual, expected)
    worst = int(errors.argmax())
    record("worst relative error", f"{errors[worst]:.2e} at {x[worst]!r}")
    bound = TOLERANCES[row, str(actual.dtype)].bound
    assert errors[worst] <= bound, (x[worst], actual[worst], expected[worst])


def same_bits(actual: Array, expected: Array) -> bool:
    """Tell whether all values and all signs are equal, those of NaNs apart."""
    nan = np.isnan(actual) & np.isnan(expected)
    signs = np.signbit(actual) == np.signbit(expected)
    return bool((nan | ((actual == expected) & signs)).all())


@pytest.mark.parametrize("name", NUMPY)
def test_relative_error(
    library: Library, name: str, record_property: Callable[..., None]
):
    """Each function is relatively right for every size of argument."""
    points = float_points if library.dtype == np.float32 else double_points
    x, expected = points(name)
    actual = library.unary(name, x)
    compare(x, actual, expected, "vector functions", record_property)


@pytest.mark.parametrize("name", EXACT)
def test_exact_functions(library: Library, name: str):
    """What needs no rounding has torch's values."""
    x = arguments(library.dtype, 200_000)
    expected = EXACT[name](torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(library.unary(name, x), expected)


@pytest.mark.parametrize("name", VALUES)
def test_special_values(library: Library, name: str):
    """Zeros and infinities give what mathematics says, zeros with their sign."""
    x = np.array(SPECIAL, library.dtype)
    expected = np.array([*VALUES[name], math.nan], library.dtype)
    actual = library.unary(name, x)
    bound = TOLERANCES["vector functions", library.target.dtype].bound
    assert relative_errors(actual, expected.astype(np.float64)).max() <= bound
    exact = np.abs(expected) != library.dtype.type(LOG2)
    assert same_bits(actual[exact], expected[exact])


@pytest.mark.parametrize("name", VALUES)
def test_nan_stays_in_its_lane(library: Library, name: str):
    """NaNs of any sign and payload give NaN, and leave their neighbours' bits alone."""
    x = np.linspace(-30, 30, 64 * library.lanes).astype(library.dtype)
    spoilt = x.copy()
    quiet = np.array([math.nan], library.dtype).view(library.integer)[0]
    rng = np.random.default_rng(0)
    payloads = rng.integers(0, 2**20, x[::5].size).astype(library.integer)
    spoilt.view(library.integer)[::5] = quiet | payloads
    spoilt[::10] = -spoilt[::10]
    clean, found = library.unary(name, x), library.unary(name, spoilt)
    assert np.isnan(found[::5]).all()
    others = np.arange(x.size) % 5 != 0
    assert same_bits(found[others], clean[others])


def test_tanh_and_sigmoid_of_tiny_and_large_arguments(library: Library):
    """tanh(x) is x for tiny x, to the last bit, and odd; sigmoid(-80) is exp(-80)."""
    x = arguments(library.dtype, 200_000)
    tiny = x[np.abs(x) < 2.0**-30]
    assert same_bits(library.unary("tanh", tiny), tiny)
    assert same_bits(library.unary("tanh", -x), -library.unary("tanh", x))
    low = np.array([-80.0, -60.0]).astype(library.dtype)
    found = library.unary("sigmoid", low)
    bound = TOLERANCES["vector functions", library.target.dtype].bound
    assert relative_errors(found, np.exp(low.astype(np.float64))).max() <= bound


def test_tanh_of_every_float(library: Library):
    """None, from where it is not x to where it is 1, is further off, or more than 1."""
    if library.dtype != np.float32:
        pytest.skip("there are too many doubles")
    first, last = np.array([2.0**-12, 9.5], np.float32).view(np.int32)
    bound = TOLERANCES["vector functions", "float32"].bound
    for start in range(first, last, 2**22):
        end = min(start + 2**22, last)
        x = np.arange(start, end, dtype=np.int32).view(np.float32)
        found = library.unary("tanh", x)
        assert found.max() <= 1
        assert relative_errors(found, np.tanh(x.astype(np.float64))).max() <= bound


@pytest.mark.parametrize("name", ["max", "min"])
def test_max_and_min_keep_nan(library: Library, name: str):
    """They are torch.maximum and torch.minimum, NaN if either argument is."""
    x = arguments(library.dtype, 50_000)
    y = np.random.default_rng(2).permutation(x)
    a, b = np.meshgrid(np.array([*SPECIAL, 1.0, -1.0], library.dtype), x[-60:])
    x, y = np.concatenate([x, a.ravel()]), np.concatenate([y, b.ravel()])
    function = {"max": torch.maximum, "min": torch.minimum}[name]
    expected = function(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    np.testing.assert_array_equal(library.binary(name, x, y), expected)


def dividends(dtype: np.dtype) -> tuple[Array, Array]:
    """Return pairs for a remainder: any bits, small quotients, multiples, specials."""
    rng = np.random.default_rng(3)
    x = arguments(dtype, 50_000)
    y = rng.permutation(x)
    a = (50 * rng.standard_normal(100_000)).astype(dtype)
    b = (3 * rng.standard_normal(100_000)).astype(dtype)
    whole = rng.integers(-(2**22), 2**22, 100_000).astype(dtype)
    with np.errstate(all="ignore"):
        multiples = b * whole
    away = rng.choice(np.array([-np.inf, np.inf], dtype), 100_000)
    near = np.nextafter(multiples, away)
    special = np.array([*SPECIAL, 1, -1, 0.1, -7, np.finfo(dtype).max], dtype)
    c, d = (part.ravel() for part in np.meshgrid(special, special))
    # Alone with itself, a special value does not send its neighbours another way.
    alone = np.repeat(c, 16), np.repeat(d, 16)
    left = [x, a, multiples, near, multiples / 2, c, alone[0]]
    right = [y, b, b, b, b, d, alone[1]]
    return np.concatenate(left).astype(dtype), np.concatenate(right).astype(dtype)


def test_mod_is_exact(library: Library):
    """It is torch.remainder and C's fmod with the divisor's sign, bit by bit."""
    a, b = dividends(library.dtype)
    found = library.binary("mod", a, b)
    with np.errstate(all="ignore"):
        expected = np.fmod(a, b)
        other_sign = (expected != 0) & ((b < 0) != (expected < 0))
        expected[other_sign] += b[other_sign]
        # Vectors of torch give NaN where the quotient overflows, its scalars do not.
        finite = ~np.isinf(a / b) | (b == 0)
    assert same_bits(found, expected)
    in_torch = torch.remainder(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    assert same_bits(found[finite], in_torch[finite])


def test_powers(library: Library, record_property: Callable[..., None]):
    """Each literal exponent gives the power in float64, products and roots included."""
    x = arguments(library.dtype, 20_000)
    wide = torch.from_numpy(x).double()
    for n in library.powers:
        with np.errstate(all="ignore"):
            exponent = float(np.array(n).astype(library.dtype))
        expected = torch.pow(wide, torch.tensor(exponent, dtype=wide.dtype)).numpy()
        compare(x, library.power(x, n), expected, "vector powers", record_property)


def test_special_values_of_powers(library: Library):
    """Zeros, infinities and negative numbers have the values and signs of torch.pow."""
    x = np.array([*SPECIAL, 1, -1, 2, -2, 0.5, -0.5], library.dtype)
    for n in library.powers:
        with np.errstate(all="ignore"):
            exponent = torch.from_numpy(np.array(n).astype(library.dtype))
        expected = torch.pow(torch.from_numpy(x), exponent).numpy()
        found = library.power(x, n)
        assert (np.isnan(found) == np.isnan(expected)).all(), n
        special = np.isin(np.abs(expected), [0.0, 1.0, np.inf])
        assert same_bits(found[special], expected[special]), n
