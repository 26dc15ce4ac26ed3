"""PyTorch loops of some cells, written as well as one writes them by hand.

The product with x stands before the loop, all gates share one recurrent product.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = Callable[["Loop", Tensor, Sequence[Tensor]], tuple[Tensor, ...]]


class Loop(nn.Module):
    """A cell over time as a loop of torch's operations.

    Args:
        step: the states after a step, from the product with x and the states before.
        gates: rows of the weights, in hidden sizes.
        states: how many there are; the first is the output.
        input_size: features of the input.
        hidden_size: units.
    """

    def __init__(
        self, step: Step, gates: int, states: int, input_size: int, hidden_size: int
    ):
        super().__init__()
        self.step, self.states, self.hidden_size = step, states, hidden_size
        bound = hidden_size**-0.5

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

        self.w = weight(gates * hidden_size, input_size)
        self.u = weight(gates * hidden_size, hidden_size)
        self.b = weight(gates * hidden_size)
        self.p = weight(3, hidden_size)
        self.gain = weight(2, gates * hidden_size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output at every step, and the last one."""
        states = [x.new_zeros(x.shape[1], self.hidden_size) for _ in range(self.states)]
        if self.step is slstm_step:
            states[3] = states[3] - torch.inf
        outputs: list[Tensor] = []
        for each in F.linear(x, self.w, self.b).unbind(0):
            states = list(self.step(self, each, states))
            outputs.append(states[0])
        return torch.stack(outputs), states[0]


def peephole_step(
    cell: Loop, wx: Tensor, states: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Return the states of a peephole LSTM after a step."""
    h, c = states
    a_i, a_f, a_g, a_o = torch.addmm(wx, h, cell.u.t()).chunk(4, 1)
    i = torch.sigmoid(a_i + cell.p[0] * c)
    f = torch.sigmoid(a_f + cell.p[1] * c)
    c = f * c + i * torch.tanh(a_g)
    return torch.sigmoid(a_o + cell.p[2] * c) * torch.tanh(c), c


def mine_step(cell: Loop, wx: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the states of the README's own cell, whose forget gate is 1 - i * i."""
    h, c = states
    a_i, a_g, a_o = torch.addmm(wx, h, cell.u.t()).chunk(3, 1)
    i = torch.sigmoid(a_i + cell.p[0] * c)
    c = (1 - i * i) * c + i * torch.tanh(a_g)
    return torch.sigmoid(a_o + cell.p[1] * c) * torch.tanh(c), c


def slstm_step(cell: Loop, wx: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the states of an sLSTM with one head after a step."""
    h, c, n, m = states
    a, a_f, a_z, a_o = torch.addmm(wx, h, cell.u.t()).chunk(4, 1)
    q = F.logsigmoid(a_f) + m
    top = torch.maximum(q, a)
    i, f = torch.exp(a - top), torch.exp(q - top)
    c, n = f * c + i * torch.tanh(a_z), f * n + i
    return torch.sigmoid(a_o) * c / n, c, n, top


def norm_step(cell: Loop, wx: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the states of a layer-norm LSTM (joint flavour) after a step."""
    h, c = states
    size = (4 * cell.hidden_size,)
    ours = F.layer_norm(F.linear(h, cell.u), size, cell.gain[1])
    a_i, a_f, a_g, a_o = (F.layer_norm(wx, size, cell.gain[0]) + ours).chunk(4, 1)
    c = torch.sigmoid(a_f) * c + torch.sigmoid(a_i) * torch.tanh(a_g)
    normal = F.layer_norm(c, (cell.hidden_size,))
    return torch.sigmoid(a_o) * torch.tanh(normal), c
