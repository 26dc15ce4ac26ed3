"""Sums of outer products: everything that adds to one sum is added, in one order."""

import ctypes
from collections.abc import Callable
from unittest import mock

import torch

from cellwright.backends.c import kernel
from cellwright.backends.c.kernel import add_outer_products
from cellwright.backends.c.tape import Tape
from cellwright.checks.tolerances import TOLERANCES, error

HEAD, EACH, PLACE = 4, 9, 8
"""Slots before the first product, of one, and that of its sum among them."""


def test_what_adds_to_one_sum_is_never_added_at_the_same_time():
    """A call of the kernel, whose pieces run in any order, has each sum once."""
    sums: list[list[int]] = []
    found = kernel.outer_function

    def watched(*asked: object) -> Callable[..., int]:
        run = found(*asked)

        def note(address: int) -> int:
            slots = ctypes.cast(address, ctypes.POINTER(ctypes.c_int64))
            begins = range(HEAD, HEAD + EACH * slots[0], EACH)
            sums.append([slots[begin + PLACE] for begin in begins])
            return run(address)

        return note

    draws = torch.Generator().manual_seed(5)
    totals = [torch.zeros(300, 300, dtype=torch.float64) for _ in range(2)]
    products = [
        (
            torch.randn(rows, 300, dtype=torch.float64, generator=draws),
            torch.randn(rows, 300, dtype=torch.float64, generator=draws),
            totals[which],
            1,
        )
        for rows, which in ((4, 0), (6, 1), (5, 0), (1, 1), (3, 0))
    ]
    with mock.patch.object(kernel, "outer_function", watched):
        add_outer_products(Tape(products[0][0]), products)

    assert [len(each) for each in sums] == [2, 2, 1]
    assert all(len(each) == len(set(each)) for each in sums)
    for which, total in enumerate(totals):
        mine = [(a, b) for a, b, t, _ in products if t is totals[which]]
        expected = sum(a.T @ b for a, b in mine)
        assert isinstance(expected, torch.Tensor)
        assert error(total, expected) <= TOLERANCES["c", "float64"].bound
