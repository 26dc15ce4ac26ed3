"""Where tensors lie, while another thread may move them."""

from unittest import mock

import pytest
import torch
from torch import nn

from cellwright.autograd.places import Places
from cellwright.backends.c.repeat import Repeats, repeats


@pytest.fixture(name="does")
def of_this_torch() -> Repeats:
    """Return what looks at tensors."""
    found = repeats()
    if found is None:
        pytest.skip("torch before 2.10 has no table of its tensors")
    return found


def test_a_weight_that_stays_is_where_it_was(does: Repeats):
    """However often it is asked, and whatever its numbers are."""
    weights = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, 4).T)
    places = Places(does, weights)
    weights[0].data.mul_(2)
    assert places.are_of(weights)
    assert places.are_of(weights)


@pytest.mark.parametrize("moment", ["while", "after"])
def test_a_weight_that_moves_is_told(does: Repeats, moment: str):
    """While it is noted, between its memory and its address, or after that."""
    weight, hold = nn.Parameter(torch.ones(3)), Repeats.hold

    def moved_first(self: Repeats, tensors: tuple[nn.Parameter, ...]) -> object:
        if moment == "while":
            weight.data = torch.zeros(3)
        return hold(self, tensors)

    with mock.patch.object(Repeats, "hold", moved_first):
        places = Places(does, (weight,))
    if moment == "after":
        weight.data = torch.zeros(3)
    assert not places.are_of((weight,))
