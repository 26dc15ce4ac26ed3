"""Library cells equal their papers' recurrences, values and all gradients."""

from functools import partial

import pytest
import torch
from torch import Tensor

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn.recurrent import Recurrent
from published import highway, lstm_norm, peephole_lstm, slstm

BOUND = TOLERANCES["reference", "float64"].bound
STEPS = {
    "peephole_lstm": (peephole_lstm, {}),
    "cifg": (partial(peephole_lstm, coupled=True), {}),
    "rhn": (partial(highway, depth=4), {"depth": 4}),
    "lstm_norm_joint": (lstm_norm, {}),
    "slstm": (partial(slstm, heads=2), {"heads": 2}),
}


def both_runs(
    cell: str, layer: Recurrent, x: Tensor, first: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return output and final states, ours and the paper's."""
    weights = {n.removesuffix("_l0"): p for n, p in layer.named_parameters()}
    hx = [state.unsqueeze(0) for state in first]
    output, last = layer(x, hx[0] if len(hx) == 1 else hx)
    ours = [output, *([last] if isinstance(last, Tensor) else last)]
    ours = [ours[0], *(state.squeeze(0) for state in ours[1:])]
    outputs, states = [], tuple(first)
    for now in x:
        output, states = STEPS[cell][0](weights, now, *states)
        outputs.append(output)
    return ours, [torch.stack(outputs), *states]


def make(cell: str) -> Recurrent:
    """Return a layer whose parameters are all off round values."""
    torch.manual_seed(3)
    layer = Recurrent(cell, 3, 6, dtype=torch.float64, **STEPS[cell][1])
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def compare(
    cell: str, layer: Recurrent, x: Tensor, first: list[Tensor]
) -> tuple[Tensor, ...]:
    """Compare values and gradients; return our gradients."""
    leaves = [x.requires_grad_(), *(s.requires_grad_() for s in first)]
    leaves += list(layer.parameters())
    names = ["x", *(s.name for s in layer.graph.states)]
    names += [name for name, _ in layer.named_parameters()]
    ours, theirs = both_runs(cell, layer, x, first)
    for one, other in zip(ours, theirs, strict=True):
        assert error(one, other) <= BOUND
    cotangents = [torch.randn_like(value) for value in ours]
    mine, paper = (
        torch.autograd.grad(values, leaves, cotangents, materialize_grads=True)
        for values in (ours, theirs)
    )
    for name, one, other in zip(names, mine, paper, strict=True):
        assert error(one, other) <= BOUND, f"gradient of {name}"
    return mine


def reached(layer: Recurrent, rows: int) -> list[Tensor]:
    """Return states that the layer reaches by itself."""
    with torch.no_grad():
        _, last = layer(torch.randn(3, rows, 3, dtype=torch.float64))
    last = [last] if isinstance(last, Tensor) else last
    return [state.squeeze(0).clone() for state in last]


@pytest.mark.parametrize("cell", STEPS)
def test_cell_equals_its_paper(cell: str):
    """Outputs, final states and every gradient are the published recurrence's."""
    layer = make(cell)
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    compare(cell, layer, x, reached(layer, 4))


def test_slstm_begins_row_by_row():
    """Rows that begin, with n = 0 and m = -inf, stand beside rows that go on."""
    layer = make("slstm")
    first = reached(layer, 4)
    for state, value in zip(first, (0, 0, 0, -torch.inf), strict=True):
        state[1::2] = value
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    for gradient in compare("slstm", layer, x, first):
        assert gradient.isfinite().all()


def test_slstm_declares_the_beginning():
    """Without given states the layer begins as the paper does, gradients finite."""
    layer = make("slstm")
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    first = [torch.zeros(2, 6, dtype=torch.float64) for _ in range(3)]
    first.append(torch.full((2, 6), -torch.inf, dtype=torch.float64))
    expected, _ = both_runs("slstm", layer, x, first)
    output, _ = layer(x)
    assert torch.equal(output, expected[0])
    gradients = torch.autograd.grad(output.sum(), list(layer.parameters()))
    assert all(g.isfinite().all() and g.any() for g in gradients)
