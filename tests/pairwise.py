"""Few cases in which any two values of any two factors meet."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from random import Random
from typing import Any

TRIES = 20
"""Rows that are drawn for each one that is taken."""

Pair = tuple[tuple[str, Any], tuple[str, Any]]


def pairwise(
    factors: Mapping[str, Sequence[Any]], seed: int = 0
) -> list[dict[str, Any]]:
    """Return rows that hold every pair of values, the same for the same seed.

    Args:
        factors: values by name.
        seed: of the draws.
    """
    random = Random(seed)
    names = list(factors)
    missing = {
        ((a, i), (b, j)): None
        for a, b in combinations(names, 2)
        for i, j in product(range(len(factors[a])), range(len(factors[b])))
    }
    rows: list[dict[str, int]] = []
    while missing:
        drawn = [_row(factors, missing, random) for _ in range(TRIES)]
        best = max(drawn, key=lambda row: len(_met(row, names, missing)))
        for pair in _met(best, names, missing):
            del missing[pair]
        rows.append(best)
    return [{name: factors[name][row[name]] for name in names} for row in rows]


def _row(
    factors: Mapping[str, Sequence[Any]], missing: Mapping[Pair, None], random: Random
) -> dict[str, int]:
    """Return a row around a missing pair, each value chosen to meet missing pairs."""
    row = dict(random.choice(list(missing)))
    rest = [name for name in factors if name not in row]
    for name in random.sample(rest, len(rest)):
        gains = [
            sum(
                _pair(factors, (name, value), known) in missing for known in row.items()
            )
            for value in range(len(factors[name]))
        ]
        best = [value for value, gain in enumerate(gains) if gain == max(gains)]
        row[name] = random.choice(best)
    return row


def _pair(factors: Mapping[str, Any], one: tuple[str, int], other: Any) -> Pair:
    order = list(factors)
    first, second = sorted((one, other), key=lambda item: order.index(item[0]))
    return first, second


def _met(
    row: Mapping[str, int], names: Sequence[str], missing: Mapping[Pair, None]
) -> list[Pair]:
    pairs = combinations([(name, row[name]) for name in names], 2)
    return [pair for pair in pairs if pair in missing]
