"""Equations in an order in which each name is defined before it is used.

A file may have any order, and what a variant adds stands behind its base's equations. A
paper is read from above.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from cellwright.language.views import EquationView

from .symbols import PRIME


def in_reading_order(equations: Sequence[EquationView]) -> list[EquationView]:
    """Return equations so that none uses what a later one defines.

    They keep their order but for those that another one needs earlier. A for block
    stays together: what it needs stands before it, and what needs it behind it.

    Args:
        equations: those of a cell.

    Example:
        >>> import cellwright as cw
        >>> cell = cw.cells.load("multiplicative_lstm")
        >>> [e.names[0] for e in in_reading_order(cell.equations)]
        ['m', 'i', 'f', 'g', 'o', "c'", "h'"]
    """
    block = [e for e in equations if e.in_block]
    units: list[list[EquationView]] = []
    for equation in equations:
        if not equation.in_block:
            units.append([equation])
        elif equation is block[0]:
            units.append(block)
    return [
        equation
        for unit in _sorted(units)
        for (equation,) in _sorted([[equation] for equation in unit])
    ]


def _sorted(units: Sequence[list[EquationView]]) -> Iterator[list[EquationView]]:
    """Yield groups of equations, each behind those that it uses."""
    places = {n: at for at, unit in enumerate(units) for e in unit for n in e.names}
    needs = [
        {places[n] for n in _used(unit) if n in places} - {place}
        for place, unit in enumerate(units)
    ]
    done: set[int] = set()

    def reach(place: int) -> Iterator[list[EquationView]]:
        if place in done:
            return
        done.add(place)
        for earlier in sorted(_closure(place, needs)):
            yield from reach(earlier)
        yield units[place]

    for place in range(len(units)):
        yield from reach(place)


def _closure(place: int, needs: Sequence[set[int]]) -> set[int]:
    """Return what a place needs, through any steps."""
    found: set[int] = set()
    stack = [place]
    while stack:
        new = needs[stack.pop()] - found
        found |= new
        stack += new
    return found


def _used(equations: Iterable[EquationView]) -> Iterator[str]:
    """Yield names that equations use, with their primes, as they are read."""
    for equation in equations:
        for node in ast.walk(equation.tree):
            if isinstance(node, ast.Name):
                yield node.id.replace(PRIME, "'")
