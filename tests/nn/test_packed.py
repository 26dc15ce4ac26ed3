from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

import cellwright as cw
from layer_runs import assert_same, states_of

PHASED = "phased_lstm"


def parts(lengths: list[int]) -> list[Tensor]:
    """Return random sequences of these lengths."""
    torch.manual_seed(7)
    return [torch.randn(length, 3, dtype=torch.float64) for length in lengths]


@pytest.mark.parametrize("lengths", [[6, 4, 1], [4, 1, 6]], ids=["sorted", "not"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("cell", ["gru", "slstm"])
def test_any_cell_runs_a_packed_sequence(
    cell: str, batch_first: bool, lengths: list[int]
):
    """Each row comes out as if it ran alone, packed as it came."""
    torch.manual_seed(3)
    layer: Any = cw.nn.Recurrent(
        cell, 3, 4, 2, bidirectional=True, batch_first=batch_first, dtype=torch.float64
    )
    rows = parts(lengths)
    packed = rnn.pack_sequence(rows, enforce_sorted=lengths == [6, 4, 1])
    names = len(layer.graph.states)
    hx = [torch.randn(4, 3, 4, dtype=torch.float64) + 3 for _ in range(names)]
    output, state = layer(packed, tuple(hx) if names > 1 else hx[0])
    assert type(output) is rnn.PackedSequence
    for mine, other in zip(output[1:], packed[1:], strict=True):
        assert mine is other
    padded, counts = rnn.pad_packed_sequence(output)
    assert counts.tolist() == lengths
    for row, each in enumerate(rows):
        mine = [s[:, row] for s in hx]
        alone, last = layer(each, tuple(mine) if names > 1 else mine[0])
        assert_same({"o": padded[: len(each), row]}, {"o": alone})
        for found, expected in zip(states_of(state), states_of(last), strict=True):
            assert_same({"s": found[:, row]}, {"s": expected})


def test_gradients_go_through_a_packed_sequence():
    """The packed output's gradient is that of torch.nn."""
    theirs = nn.GRU(3, 4, dtype=torch.float64)
    ours = cw.nn.GRU.from_torch(theirs, backend="reference")
    rows = [each.requires_grad_() for each in parts([4, 1, 6])]
    found: list[dict[str, Tensor]] = []
    for layer in (ours, theirs):
        packed = rnn.pack_sequence(rows, enforce_sorted=False)
        loss = layer(packed)[0].data.pow(2).sum()
        gradients = torch.autograd.grad(loss, [*rows, *layer.parameters()])
        found.append({str(i): g for i, g in enumerate(gradients)})
    assert_same(found[0], found[1])


def test_what_else_a_call_gives_is_padded():
    """Further inputs and masks lie in the layer's layout, traces come in it."""
    layer: Any = cw.nn.Recurrent(PHASED, 3, 4, batch_first=True, dtype=torch.float64)
    rows = parts([4, 1, 6])
    packed = rnn.pack_sequence(rows, enforce_sorted=False)
    x, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
    time, mask = torch.rand(3, 6, dtype=torch.float64), torch.rand(3, 6) < 0.7
    output, _, traces = layer(packed, time=time, mask=mask, trace=("k",))
    expected, _, others = layer(x, time=time, mask=mask, lengths=lengths, trace=("k",))
    assert torch.equal(rnn.pad_packed_sequence(output, True)[0], expected)
    assert torch.equal(traces["k_l0"], others["k_l0"])
