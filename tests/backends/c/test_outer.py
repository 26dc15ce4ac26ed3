"""Sums of outer products: everything that adds to one sum is added, in one order."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from cellwright.backends.c.kernel import OuterProducts, add_outer_products
from cellwright.backends.c.tape import Tape
from cellwright.checks.tolerances import TOLERANCES, error

DRAWS = torch.Generator().manual_seed(5)


def drawn(*shape: int) -> torch.Tensor:
    """Return random numbers."""
    return torch.randn(*shape, dtype=torch.float64, generator=DRAWS)


def expected(each: OuterProducts) -> torch.Tensor:
    """Return a sum as torch multiplies it."""
    left, right, total, heads, first = each
    right = right if first is None else torch.cat([first, right])
    if heads == 1:
        return left.T @ right
    pairs = zip(left.chunk(heads, 1), right.chunk(heads, 1), strict=True)
    return torch.stack([a.T @ b for a, b in pairs]).view_as(total)


@pytest.mark.parametrize("rows", [2, 255, 257, 700, 1500])
def test_first_rows_may_lie_elsewhere(rows: int):
    """A state before the first step does; the sum is the same, to the bit.

    More of them than are packed at a time, too.
    """
    left, right = drawn(rows, 70), drawn(rows, 90)
    sums: list[torch.Tensor] = []
    for first in (0, 1, rows // 2, rows - 1):
        total = torch.full((70, 90), torch.nan, dtype=torch.float64)
        apart, rest = right[:first].clone(), right[first:].clone()
        each = OuterProducts(left, rest, total, 1, apart if first else None)
        add_outer_products(Tape(left), [each], fresh=True)
        sums.append(total)
    assert all(torch.equal(total, sums[0]) for total in sums)
    assert error(sums[0], left.T @ right) <= TOLERANCES["c", "float64"].bound


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_fresh_sums_are_written_and_others_added_to(heads: int):
    """What lies in new memory counts for nothing, what lies in a sum does."""
    shape = (60, 90) if heads == 1 else (heads, 60 // heads, 90 // heads)
    products: Sequence[OuterProducts] = [
        OuterProducts(drawn(rows, 60), drawn(rows - 4, 90), total, heads, drawn(4, 90))
        for rows, total in (
            (300, torch.full(shape, torch.nan, dtype=torch.float64)),
            (7, torch.full(shape, torch.inf, dtype=torch.float64)),
        )
    ]
    tape = Tape(products[0].left)
    for times in (1, 2, 3):
        add_outer_products(tape, products, fresh=times == 1)
        for each in products:
            bound = TOLERANCES["c", "float64"].bound
            assert error(each.total, times * expected(each)) <= bound


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("width", [2, 8, 16, 32, 48, 64, 80])
@pytest.mark.parametrize("lefts", [16, 64, 256])
def test_sides_are_read_as_they_lie_where_they_lie_well(
    lefts: int, width: int, heads: int, dtype: torch.dtype
):
    """The bits are those of the same sides in longer rows, and off their grid."""
    rows = 600
    left, right = drawn(rows, lefts).to(dtype), drawn(rows, width).to(dtype)

    def total(left: Tensor, right: Tensor, first: Tensor | None = None) -> Tensor:
        found = torch.full(shape_of(left, right, heads), torch.nan, dtype=dtype)
        each = OuterProducts(left, right, found, heads, first)
        add_outer_products(Tape(left), [each], fresh=True)
        return found

    def moved(side: Tensor, width: int) -> Tensor:
        wide = torch.full((rows, width), torch.nan, dtype=dtype)
        wide[:, 1 : 1 + side.shape[1]] = side
        return wide[:, 1 : 1 + side.shape[1]]

    def behind(side: Tensor) -> Tensor:
        flat = torch.full((1 + side.numel(),), torch.nan, dtype=dtype)
        flat[1:] = side.flatten()
        return flat[1:].view(side.shape)

    near = total(left, right)
    for one in (left, moved(left, 250 + lefts), behind(left)):
        longer = moved(right, width + 1), moved(right, width + 64)
        for other in (right, *longer, behind(right)):
            assert torch.equal(total(one, other), near)
        assert torch.equal(total(one, right[3:].clone(), right[:3].clone()), near)


def test_left_sides_that_take_as_long_are_shared_whole():
    """Four of them among one to five threads: the bits are the same."""
    rows = 2000
    sides = [
        (left, drawn(rows, width))
        for left in [drawn(rows, 64) for _ in range(4)]
        for width in (64, 2)
    ]

    def sums(threads: int) -> list[Tensor]:
        empty = [torch.full(shape_of(*pair, 1), torch.nan).double() for pair in sides]
        products = [
            OuterProducts(*pair, total)
            for pair, total in zip(sides, empty, strict=True)
        ]
        torch.set_num_threads(threads)
        add_outer_products(Tape(sides[0][0]), products, fresh=True)
        bound = TOLERANCES["c", "float64"].bound
        assert all(error(each.total, expected(each)) <= bound for each in products)
        return empty

    before = torch.get_num_threads()
    try:
        alone = sums(1)
        for threads in (2, 3, 4, 5):
            assert all(map(torch.equal, sums(threads), alone))
    finally:
        torch.set_num_threads(before)


# Left entries, heads, right entries: of no more than a panel has, of a vector or a
# tile, of several columns. Narrow ones stand before, between and behind the others.
FAMILIES = [
    (1, 1, [1, 2, 64, 17]),
    (6, 1, [5, 700, 6, 1100, 2]),
    (24, 2, [6, 1400, 2, 34, 4]),
    (47, 1, [3, 64, 65, 7]),
    (97, 1, [1, 2, 3, 4]),
    (97, 1, [513, 2, 16, 1100]),
    (300, 1, [2, 64, 513]),
    (600, 2, [1100, 4, 32]),
    (600, 1, [6, 5]),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("lefts", "heads", "widths"), FAMILIES)
def test_products_may_have_one_left_side(
    lefts: int, heads: int, widths: Sequence[int], dtype: torch.dtype
):
    """The bits are those of each by itself, however threads share them.

    There are so many rows that they do, and of two left sides one stands between.
    """
    rows = 2 + 2_500_000 // (lefts * sum(widths) // heads)
    rows = min(max(rows, 260), 6000)
    left = drawn(rows, lefts).to(dtype)
    sides = [
        (left, drawn(rows - i % 2, width).to(dtype), i % 2, heads)
        for i, width in enumerate(widths)
    ]
    sides.insert(2, (left + 1, drawn(rows, 4).to(dtype), 0, heads))
    # The first entries of it alone, and all of them as one head.
    part = left[:, : max(lefts // 2, 1)]
    sides.append((part, drawn(rows, 8).to(dtype), 0, 1))
    sides.append((left, drawn(rows, 8).to(dtype), 0, 1))

    def sums(threads: int, together: bool) -> list[torch.Tensor]:
        products = [
            OuterProducts(
                own,
                right,
                torch.full(shape_of(own, right, blocks), torch.nan, dtype=dtype),
                blocks,
                right[:1] * 2 if late else None,
            )
            for own, right, late, blocks in sides
        ]
        torch.set_num_threads(threads)
        for each in [products] if together else [[one] for one in products]:
            add_outer_products(Tape(left), each, fresh=True)
        bound = TOLERANCES["c", str(dtype).removeprefix("torch.")].bound
        assert all(error(one.total, expected(one)) <= bound for one in products)
        return [one.total for one in products]

    before = torch.get_num_threads()
    try:
        alone = sums(1, together=False)
        for threads in (1, 2, 3, 8):
            assert all(map(torch.equal, sums(threads, together=True), alone))
    finally:
        torch.set_num_threads(before)


def shape_of(left: torch.Tensor, right: torch.Tensor, heads: int) -> tuple[int, ...]:
    """Return the shape of a sum."""
    whole = left.shape[1] // heads, right.shape[1] // heads
    return whole if heads == 1 else (heads, *whole)
