"""How many parameters a cell has: as a polynomial, as a formula, as a number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph
from cellwright.ir.sizes import ONE, ZERO, Monomial, Shape, Size
from cellwright.language.report import did_you_mean

LETTERS = {"hidden_size": "H", "input_size": "I"}
"""The letters of the field; every other size is called by its name."""

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class SizeError(CellwrightValueError):
    """A size that is missing, unknown, or does not fit a cell."""


def parameter_count(graph: Graph) -> Size:
    """Return the number of learned values of one layer in one direction.

    Args:
        graph: the cell, with its counts (such as a depth) as they are in the graph.

    Returns:
        A polynomial in the cell's sizes.

    Example:
        >>> import cellwright as cw
        >>> str(parameter_count(cw.cells.load("elman").graph))
        'hidden_size*input_size + hidden_size*hidden_size + hidden_size'
    """
    return sum((entries(p.shape) for p in graph.parameters), start=ZERO)


def entries(shape: Shape) -> Size:
    """Return how many entries a shape has."""
    return math.prod(shape, start=ONE)


def formula(size: Size) -> str:
    """Return a size as people write it, ``4HI + 4H² + 4H``.

    Example:
        >>> hidden, out = Size.named("hidden_size"), Size.named("output_size")
        >>> formula(4 * hidden * hidden * out - 2 * hidden / 3)
        '4H²·output_size − 2H/3'
    """
    if not size.terms:
        return "0"
    letters = _letters(size.names)
    text = ""
    for monomial, coefficient in size.terms:
        sign = "−" if coefficient < 0 else "+" if text else ""
        space = " " if text else ""
        numbers = (abs(coefficient.numerator), coefficient.denominator)
        text += space + sign + space + _term(monomial, *numbers, letters)
    return text


def legend(sizes: Iterable[Size]) -> str:
    """Return what the letters of some formulas mean, ``H = hidden_size``.

    Example:
        >>> legend([Size.named("hidden_size"), Size.number(4)])
        'H = hidden_size'
    """
    names = frozenset[str]().union(*(size.names for size in sizes))
    letters = _letters(names)
    return ", ".join(f"{letters[name]} = {name}" for name in sorted(letters))


def count_at(graph: Graph, sizes: Mapping[str, int]) -> int:
    """Return the number of parameters for given sizes.

    Args:
        graph: the cell.
        sizes: every size that has no default and is not derived from others.

    Raises:
        SizeError: for a size that is missing or unknown, or does not fit.

    Example:
        >>> import cellwright as cw
        >>> lstm = cw.cells.load("lstm").graph
        >>> count_at(lstm, {"input_size": 1, "hidden_size": 300})
        362400
    """
    values = all_sizes(graph, sizes)
    listed = ", ".join(f"{name}={value}" for name, value in values.items())
    for size in graph.whole:
        try:
            size.evaluate(values)
        except ValueError as fault:
            found = f"{graph.name}: {size} is not a whole number for {listed}"
            raise SizeError(found) from fault
    return parameter_count(graph).evaluate(values)


def all_sizes(graph: Graph, given: Mapping[str, int]) -> dict[str, int]:
    """Return every size that a cell is given, from those that a caller gives.

    Args:
        graph: the cell.
        given: sizes without a default.

    Raises:
        SizeError: for a size that is missing or unknown, or does not fit.
    """
    derived = {d.name: d.derived for d in graph.sizes if d.derived is not None}
    defaults = {d.name: d.default for d in graph.sizes if d.derived is None}
    needed = {"hidden_size": None, "input_size": None, **defaults}
    for name, value in given.items():
        if name not in needed:
            fix = did_you_mean(name, needed) or f"its sizes are {', '.join(needed)}"
            raise SizeError(f"{graph.name} has no size {name!r}; {fix}")
        if value < 1:
            raise SizeError(
                f"{graph.name}: the size {name} is 1 or more; found {value}"
            )
    values = {**needed, **given}
    input_size = derived.get("input_size")
    known = {name: value for name, value in values.items() if value is not None}
    if input_size is not None and input_size.names <= known.keys():
        expected = input_size.evaluate(known)
        if known.setdefault("input_size", expected) != expected:
            found = f"input_size = {input_size} = {expected}"
            raise SizeError(f"{graph.name}: {found}, got {values['input_size']}")
    missing = [name for name in needed if name not in known]
    if missing:
        raise SizeError(f"{graph.name} needs {' and '.join(missing)} for a number")
    return known


def _letters(names: frozenset[str]) -> dict[str, str]:
    # A cell may call a size of its own H; then hidden_size keeps its name.
    return {n: a for n, a in LETTERS.items() if n in names and a not in names}


def _term(
    monomial: Monomial, above: int, below: int, letters: Mapping[str, str]
) -> str:
    glued, words, divisors = "", list[str](), list[str]()
    for name, exponent in monomial:
        word = letters.get(name, name)
        if abs(exponent) != 1:
            word += str(abs(exponent)).translate(_SUPERSCRIPT)
        if exponent < 0:
            divisors.append(word)
        elif name in letters:
            glued += word
        else:
            words.append(word)
    if above != 1 or not (glued or words):
        glued = f"{above}{glued}"
    if below != 1:
        divisors.append(str(below))
    product = "·".join([glued, *words] if glued else words)
    return product + "".join(f"/{divisor}" for divisor in divisors)
