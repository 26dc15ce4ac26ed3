"""Reductions of whole rows, at the ends that sums and values of other tests forgive."""

import pytest
import torch

import cellwright as cw
from cellwright.backends.c.levels import Level, runnable_levels
from parity_cases import at_level

LARGEST = (
    "input x [input_size]\nstate h [hidden_size]\noutput y\n"
    "h' = tanh(h)\ny = max(x) + h\n"
)


@pytest.mark.parametrize("level", runnable_levels(), ids=lambda each: each.name)
@pytest.mark.parametrize("length", [1, 5, 16, 43])
def test_a_nan_is_the_largest_wherever_it_stands(level: Level, length: int):
    """A row's largest entry is torch's, with a NaN at each place and with none."""
    draws = torch.Generator().manual_seed(length)
    x = torch.randn(length + 1, 1, length, generator=draws) - 3
    x.diagonal(dim1=0, dim2=2).fill_(torch.nan)

    with at_level(level.name):
        y, _ = cw.nn.Recurrent(LARGEST, length, 2, backend="c")(x)

    largest = x.amax(-1, keepdim=True).expand_as(y)
    assert torch.equal(y.isnan(), largest.isnan())
    assert torch.equal(y.nan_to_num(), largest.nan_to_num())
