"""Counts in words and numbers, as a person would work them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .facts import Factor, Product, Shape, Sum, Term


def in_words(total: Sum) -> str:
    """Return how a number comes about, and the number.

    Its signs are meant as they stand: without the words it is an expression whose
    value is the number.

    Example:
        >>> weights = Product((300, 1), "input weights", ("weight_ih_l0",))
        >>> biases = Product((300,), "biases", ("bias_ih_l0",))
        >>> in_words(Sum((Term((Factor(4, "gates"),), (weights, biases)),)))
        '4 gates × (300×1 input weights + 300 biases) = 2,400'
    """
    if not total.terms:
        return "0"
    return f"{' + '.join(map(_term, total.terms))} = {total.count:,}"


def once(products: Iterable[Product]) -> Sum:
    """Return a sum of blocks that come once each."""
    found = tuple(products)
    return Sum((Term((), found),)) if found else Sum(())


def times(factors: Sequence[Factor], products: Iterable[Product]) -> Sum:
    """Return a sum of blocks that come several times over; what comes once is left out.

    Args:
        factors: how often.
        products: the blocks.
    """
    found = tuple(products)
    kept = tuple(factor for factor in factors if factor.times != 1)
    return Sum((Term(kept, found),)) if found else Sum(())


def together(sums: Iterable[Sum]) -> Sum:
    """Return the sum of sums."""
    return Sum(tuple(term for each in sums for term in each.terms))


def shape_words(shape: Shape) -> str:
    """Return a shape with the names of its axes.

    Example:
        >>> from cellwright.explain.facts import Axis
        >>> shape_words((Axis("batch", 32), Axis("features", 1)))
        '[batch 32, features 1]'
    """
    return f"[{', '.join(f'{axis.name} {axis.size}' for axis in shape)}]"


def counted(count: int, of: str) -> str:
    """Return a number of things.

    Example:
        >>> counted(1, "step"), counted(1200, "step")
        ('1 step', '1,200 steps')
    """
    return f"{count:,} {of}" if count == 1 else f"{count:,} {of}s"


def _term(term: Term) -> str:
    inside = " + ".join(_blocks(term.products))
    if not term.factors:
        return inside
    factors = " × ".join(f"{each.times} {each.of}".strip() for each in term.factors)
    return f"{factors} × ({inside})"


def _blocks(products: Sequence[Product]) -> Iterator[str]:
    """Yield the blocks; neighbours of one kind share their words."""
    for i, product in enumerate(products):
        size = "×".join(map(str, product.factors)) or "1"
        last = i + 1 == len(products) or products[i + 1].words != product.words
        yield f"{size} {product.words}".strip() if last else size
