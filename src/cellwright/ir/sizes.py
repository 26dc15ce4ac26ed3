"""Symbolic sizes: whole numbers and named sizes under ``+ - * /``, compared exactly.

A size is kept in one normal form, a polynomial whose exponents may be negative, so
``heads * (hidden_size / heads)`` is ``hidden_size``. Pure Python; imports nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

Monomial = tuple[tuple[str, int], ...]

MAX_TERMS = 64
MAX_DEGREE = 32
"""Powers of long sums grow without bound; a size that a person wrote does not."""
MAX_DIGITS = 30


class SizeError(ValueError):
    """A size that cannot be, or that is too long to be worked with."""


@dataclass(frozen=True, slots=True)
class Size:
    """A polynomial in named sizes, in normal form.

    Args:
        terms: pairs of a monomial (names with exponents, sorted) and its coefficient;
            no coefficient is zero and no monomial stands twice.

    Example:
        >>> heads, hidden = Size.named("heads"), Size.named("hidden_size")
        >>> str(heads * (hidden / heads))
        'hidden_size'
        >>> (4 * hidden + 2).evaluate({"hidden_size": 3})
        14
    """

    terms: tuple[tuple[Monomial, Fraction], ...]

    @staticmethod
    def named(name: str) -> Size:
        """Return the size called ``name``."""
        return Size((((((name, 1),)), Fraction(1)),))

    @staticmethod
    def number(value: int | Fraction) -> Size:
        """Return the constant size ``value``."""
        return _normal([((), Fraction(value))])

    @property
    def names(self) -> frozenset[str]:
        """The named sizes that occur."""
        return frozenset(name for monomial, _ in self.terms for name, _ in monomial)

    @property
    def always_whole(self) -> bool:
        """Whether it is a whole number from 1 on, whatever the named sizes are."""
        return bool(self.terms) and all(
            coefficient.denominator == 1
            and coefficient > 0
            and all(exponent > 0 for _, exponent in monomial)
            for monomial, coefficient in self.terms
        )

    @property
    def constant(self) -> Fraction | None:
        """The value when no named size occurs, else None."""
        if not self.terms:
            return Fraction(0)
        if len(self.terms) == 1 and self.terms[0][0] == ():
            return self.terms[0][1]
        return None

    def evaluate(self, values: Mapping[str, int]) -> int:
        """Return the whole number that this size is for the given named sizes.

        Raises:
            SizeError: when a division does not come out whole.
        """
        if len(self.terms) == 1 and self.terms[0][1] == 1:
            # Nearly all sizes are one name; a layer asks for many at every call.
            monomial = self.terms[0][0]
            if len(monomial) == 1 and monomial[0][1] == 1:
                return values[monomial[0][0]]
        total = Fraction(0)
        for monomial, coefficient in self.terms:
            for name, exponent in monomial:
                coefficient *= Fraction(values[name]) ** exponent
            total += coefficient
        if total.denominator != 1:
            raise SizeError(f"{self} = {total} is not a whole number")
        return int(total)

    def __add__(self, other: Size | int) -> Size:
        return _normal([*self.terms, *as_size(other).terms])

    def __radd__(self, other: int) -> Size:
        return self + other

    def __sub__(self, other: Size | int) -> Size:
        return self + as_size(other) * -1

    def __mul__(self, other: Size | int) -> Size:
        return _normal(
            (_multiply(left, right), a * b)
            for left, a in self.terms
            for right, b in as_size(other).terms
        )

    def __rmul__(self, other: int) -> Size:
        return self * other

    def __truediv__(self, other: Size | int) -> Size:
        divisor = as_size(other)
        if not divisor.terms:
            raise SizeError("cannot divide by 0")
        if len(divisor.terms) != 1:
            raise SizeError(f"cannot divide by {divisor}: only a product can divide")
        ((monomial, coefficient),) = divisor.terms
        inverse = tuple((name, -exponent) for name, exponent in monomial)
        return self * Size(((inverse, 1 / coefficient),))

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, coefficient in self.terms:
            term = _term_text(monomial, abs(coefficient))
            if text:
                text += f" - {term}" if coefficient < 0 else f" + {term}"
            else:
                text = f"-{term}" if coefficient < 0 else term
        return text


Shape = tuple[Size, ...]


def as_size(value: Size | int) -> Size:
    """Return ``value`` as a Size."""
    return value if isinstance(value, Size) else Size.number(value)


def shape_text(shape: Shape) -> str:
    """Return ``[hidden_size, input_size]``, or ``a scalar`` for the empty shape."""
    return "[" + ", ".join(map(str, shape)) + "]" if shape else "a scalar"


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    exponents = dict(left)
    for name, exponent in right:
        exponents[name] = exponents.get(name, 0) + exponent
    return tuple(sorted((n, e) for n, e in exponents.items() if e))


def _normal(terms: Iterable[tuple[Monomial, Fraction]]) -> Size:
    totals: dict[Monomial, Fraction] = {}
    for monomial, coefficient in terms:
        totals[monomial] = totals.get(monomial, Fraction(0)) + coefficient
    kept = [(m, c) for m, c in totals.items() if c]
    if len(kept) > MAX_TERMS:
        raise SizeError(f"a size may have at most {MAX_TERMS} terms")
    for monomial, coefficient in kept:
        if sum(abs(exponent) for _, exponent in monomial) > MAX_DEGREE:
            raise SizeError(f"a size may have at most {MAX_DEGREE} factors")
        if max(abs(coefficient.numerator), coefficient.denominator) >= 10**MAX_DIGITS:
            raise SizeError(f"a size may have at most {MAX_DIGITS} digits")
    # Highest degree first, then alphabetical: 4*hidden_size*input_size + hidden_size.
    kept.sort(key=lambda term: (-sum(e for _, e in term[0]), term[0]))
    return Size(tuple(kept))


def _term_text(monomial: Monomial, coefficient: Fraction) -> str:
    above = [name for name, e in monomial for _ in range(e)]
    below = [name for name, e in monomial for _ in range(-e)]
    if coefficient.numerator != 1 or not above:
        above.insert(0, str(coefficient.numerator))
    if coefficient.denominator != 1:
        below.append(str(coefficient.denominator))
    return "*".join(above) + "".join(f"/{name}" for name in below)


ZERO = Size.number(0)
ONE = Size.number(1)
