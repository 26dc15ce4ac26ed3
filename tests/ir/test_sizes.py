"""Sizes: the laws of their normal form, their text and their limits."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cellwright.ir.sizes import (
    MAX_DEGREE,
    MAX_TERMS,
    ONE,
    ZERO,
    Size,
    SizeError,
    shape_text,
)
from cellwright.ir.text import parse_size

NAMES = ("a", "b", "c")
MONOMIALS = st.builds(
    lambda names, number: _product([Size.named(n) for n in names], number),
    st.lists(st.sampled_from(NAMES), max_size=3),
    st.fractions(-9, 9, max_denominator=4),
)
SIZES = st.lists(MONOMIALS, max_size=4).map(lambda parts: sum(parts, start=ZERO))
VALUES = st.fixed_dictionaries({name: st.integers(1, 12) for name in NAMES})


def _product(sizes: list[Size], number: Fraction) -> Size:
    result = Size.number(number)
    for size in sizes:
        result *= size
    return result


def exactly(size: Size, values: dict[str, int]) -> Fraction:
    """Return the value of a size, whole or not."""
    parts = [
        coefficient * _power(monomial, values) for monomial, coefficient in size.terms
    ]
    return sum(parts, start=Fraction(0))


def _power(monomial: tuple[tuple[str, int], ...], values: dict[str, int]) -> Fraction:
    result = Fraction(1)
    for name, exponent in monomial:
        result *= Fraction(values[name]) ** exponent
    return result


@given(SIZES, SIZES, SIZES)
def test_ring_laws(a: Size, b: Size, c: Size) -> None:
    """Equal polynomials have one normal form, however they are computed."""
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert a * (b + c) == a * b + a * c
    assert a - a == ZERO
    assert a * ONE == a


@given(SIZES, MONOMIALS)
def test_division_undoes_the_product(a: Size, b: Size) -> None:
    """Heads * (hidden_size / heads) is hidden_size, for any product of names."""
    assume(b != ZERO)
    assert a * b / b == a
    assert b * (a / b) == a


@given(SIZES, SIZES, VALUES)
def test_evaluation_is_a_homomorphism(a: Size, b: Size, values: dict[str, int]) -> None:
    """The value of a sum or product is the sum or product of the values."""
    assert exactly(a + b, values) == exactly(a, values) + exactly(b, values)
    assert exactly(a * b, values) == exactly(a, values) * exactly(b, values)


@given(SIZES, VALUES)
def test_evaluate_refuses_fractions(a: Size, values: dict[str, int]) -> None:
    """A value is a whole number, or refused with the size and the value named."""
    exact = exactly(a, values)
    if exact.denominator == 1:
        assert a.evaluate(values) == exact
    else:
        with pytest.raises(SizeError, match="is not a whole number"):
            a.evaluate(values)


@given(SIZES, MONOMIALS)
def test_text_round_trips(a: Size, b: Size) -> None:
    """A printed size is read as itself, quotients included."""
    assume(b != ZERO)
    for size in (a, a / b):
        assert parse_size(str(size)) == size


@given(SIZES, VALUES)
def test_always_whole_is_true(a: Size, values: dict[str, int]) -> None:
    """What is called whole for any sizes is a whole number from 1 on."""
    exact = exactly(a, values)
    if a.always_whole:
        assert exact.denominator == 1
        assert exact >= 1


@pytest.mark.parametrize(
    ("size", "whole"),
    [
        (Size.named("a") * 2 + 1, True),
        (Size.named("a") / 2, False),
        (Size.named("a") / Size.named("b"), False),
        (Size.named("a") - 1, False),
        (ZERO, False),
    ],
)
def test_always_whole(size: Size, whole: bool) -> None:
    """Sums of products are whole; quotients and differences may not be."""
    assert size.always_whole is whole


def test_constant() -> None:
    """A size without names is a number; with names it is none."""
    assert ZERO.constant == 0
    assert (Size.named("a") / Size.named("a")).constant == 1
    assert Size.named("a").constant is None
    assert (Size.named("a") + 1).constant is None
    assert (Size.named("a") + Size.named("b")).names == {"a", "b"}


def test_division_by_sums_and_zero_is_refused() -> None:
    """Only a product can divide."""
    with pytest.raises(SizeError, match="only a product can divide"):
        _ = ONE / (Size.named("a") + 1)
    with pytest.raises(SizeError, match="cannot divide by 0"):
        _ = ONE / ZERO


def test_growth_is_bounded() -> None:
    """Long sums, high powers and huge numbers are refused."""
    terms = [Size.named(f"a{i}") for i in range(MAX_TERMS + 1)]
    with pytest.raises(SizeError, match="terms"):
        sum(terms, start=ZERO)
    with pytest.raises(SizeError, match="factors"):
        _product([Size.named("a")] * (MAX_DEGREE + 1), Fraction(1))
    with pytest.raises(SizeError, match="digits"):
        Size.number(10**40)


def test_shape_text() -> None:
    """A shape is written with its names, and none is a scalar."""
    assert shape_text((Size.named("a"), 2 * Size.named("b"))) == "[a, 2*b]"
    assert shape_text(()) == "a scalar"
