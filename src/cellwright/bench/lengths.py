"""Sequences of different lengths: ours, the padded batch, and torch's packed path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cellwright.nn import LSTM

from .contender import Contender, computed, module, sequence
from .registry import OURS, PACKED, PADDED, Case, Shape

Maker = Callable[[], list[Contender]]


class _Called(nn.Module):
    """A layer, called in one way; the output stands first."""

    def __init__(self, layer: nn.Module, call: Callable[[Tensor], Tensor]):
        super().__init__()
        self.layer = layer
        self.call = call

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the output."""
        return (self.call(x),)


def makers(_: Case, what: str, shape: Shape) -> Mapping[str, Maker]:
    """Return what makes the contenders, on lengths from half of the steps to all.

    Args:
        what: which direction.
        shape: of the padded batch.
    """
    given = sequence(what, shape)
    torch.manual_seed(0)
    theirs = nn.LSTM(shape.I, shape.H)
    ours = LSTM(shape.I, shape.H)
    ours.load_state_dict(theirs.state_dict())
    lengths = torch.randint(shape.T // 2, shape.T + 1, (shape.B,))
    lengths[0] = shape.T

    def packed(x: Tensor) -> Tensor:
        found = theirs(pack_padded_sequence(x, lengths, enforce_sorted=False))[0]
        return pad_packed_sequence(found)[0]

    ways: Mapping[str, tuple[_Called, _Called]] = {
        OURS: (
            _Called(ours, lambda x: ours(x, lengths=lengths)[0]),
            _Called(theirs, packed),
        ),
        PADDED: (
            _Called(ours, lambda x: ours(x)[0]),
            _Called(theirs, lambda x: theirs(x)[0]),
        ),
    }
    ways = {**ways, PACKED: (ways[OURS][1], ways[OURS][0])}

    def made(name: str) -> list[Contender]:
        layer, other = ways[name]
        expected = partial(computed, other, given)
        return [module(name, layer, given, expected=expected)]

    return {name: partial(made, name) for name in ways}
