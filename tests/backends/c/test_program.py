"""A compiled cell reads entries, however the tensors that it is given lie in memory."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

import cellwright as cw

Layout = Callable[[Tensor], Tensor]
LAYOUTS: dict[str, Layout] = {
    "turned round": lambda v: v.mT.contiguous().mT,
    "every second entry": lambda v: v.repeat_interleave(2, -1)[..., ::2],
    "every second row": lambda v: v.repeat_interleave(2, -2)[..., ::2, :],
    "first axis last": lambda v: v.movedim(0, -1).contiguous().movedim(-1, 0),
}
PARTS = ("input", "first states", "weights", "gradients that arrive")
T, B, I, H = 5, 3, 4, 6  # noqa: E741  # the axes' names


def results(laid: dict[str, Layout]) -> list[Tensor]:
    """Return results and gradients of an LSTM, its tensors laid out by their part."""
    draws = torch.Generator().manual_seed(3)
    layer = cw.nn.Recurrent("lstm", I, H, backend="c")

    def drawn(part: str, *shape: int) -> Tensor:
        value = torch.randn(shape, generator=draws)
        return laid.get(part, torch.clone)(value).requires_grad_()

    x = drawn("input", T, B, I)
    first = [drawn("first states", 1, B, H) for _ in "hc"]
    weights = {
        # A vector is laid out as a matrix's row.
        name: drawn("weights", *p.shape) if p.dim() > 1 else drawn("weights", 2, H)[1]
        for name, p in layer.named_parameters()
    }
    output, state = functional_call(layer, weights, (x, tuple(first)))
    values = [output, *state]
    arriving = [drawn("gradients that arrive", *v.shape).detach() for v in values]
    leaves = [x, *first, *weights.values()]
    return [*values, *torch.autograd.grad(values, leaves, arriving)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_change_no_bit(part: str, layout: str):
    """Each tensor may be a view: the same numbers give the same results."""
    found, expected = results({part: LAYOUTS[layout]}), results({})

    assert all(map(torch.equal, found, expected))
