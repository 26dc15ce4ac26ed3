"""PyTorch loops of some cells, written as well as one writes them by hand.

The product with x stands before the loop, all gates share one recurrent product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Values = Mapping[str, Tensor]
Step = Callable[["Loop", Tensor, Sequence[Tensor]], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Form:
    """How a loop holds a cell: its step, and our weights by the gates' order.

    Args:
        step: the states after a step, from the product with x and the states before.
        packed: by the loop's name of a tensor, ours that are stacked in it.
        firsts: first values of the states; the first state is the output.
    """

    step: Step
    packed: Mapping[str, tuple[str, ...]]
    firsts: tuple[float, ...]

    def pack(self, ours: Values) -> dict[str, Tensor]:
        """Return our tensors, or their gradients, as the loop holds them.

        Args:
            ours: by the names of our layer; what has another name is kept as it is.
        """
        found = dict(ours)
        for name, parts in self.packed.items():
            if f"{parts[0]}_l0" not in found:
                continue
            tensors = [found.pop(f"{part}_l0") for part in parts]
            if name in ROWS:
                found[name] = torch.stack(tensors)
            else:
                # A block of one head is a matrix.
                flat = [t.flatten(0, 1) if t.dim() == 3 else t for t in tensors]
                found[name] = torch.cat(flat)
        return found


ROWS = ("p", "gain")
"""Tensors that hold ours as rows, not one below the other."""


class Loop(nn.Module):
    """A cell over time as a loop of torch's operations.

    Args:
        form: which cell.
        ours: the weights of our layer, by name.

    Shape:
        - x: ``[T, B, I]``.
        - output: ``[T, B, H]``.
    """

    w: Tensor
    u: Tensor
    b: Tensor
    p: Tensor
    gain: Tensor
    gain_c: Tensor
    b_c: Tensor

    def __init__(self, form: Form, ours: Values):
        super().__init__()
        self.form = form
        for name, value in form.pack(ours).items():
            self.register_parameter(name, nn.Parameter(value.detach().clone()))
        self.hidden_size = self.u.shape[1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output at every step, and the last one."""
        rows = (x.shape[1], self.hidden_size)
        states = [x.new_full(rows, first) for first in self.form.firsts]
        bias = None if self.form.step is norm_step else self.b
        outputs: list[Tensor] = []
        for each in F.linear(x, self.w, bias).unbind(0):
            states = list(self.form.step(self, each, states))
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
    ours = F.layer_norm(F.linear(h, cell.u), size, cell.gain[1], cell.b)
    a_i, a_f, a_g, a_o = (F.layer_norm(wx, size, cell.gain[0]) + ours).chunk(4, 1)
    c = torch.sigmoid(a_f) * c + torch.sigmoid(a_i) * torch.tanh(a_g)
    normal = F.layer_norm(c, (cell.hidden_size,), cell.gain_c, cell.b_c)
    return torch.sigmoid(a_o) * torch.tanh(normal), c


def _gates(
    w: str, u: str, gates: str, **more: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    named = {"w": w, "u": u, "b": "b"}
    packed = {key: tuple(f"{n}_{g}" for g in gates) for key, n in named.items()}
    return {**packed, **more}


FORMS: Mapping[str, Form] = {
    "peephole_lstm": Form(
        peephole_step, _gates("W", "U", "ifgo", p=("p_i", "p_f", "p_o")), (0.0, 0.0)
    ),
    "mine": Form(mine_step, _gates("W", "U", "igo", p=("p_i", "p_o")), (0.0, 0.0)),
    "slstm": Form(slstm_step, _gates("W", "R", "ifzo"), (0.0, 0.0, 0.0, -torch.inf)),
    "lstm_norm_joint": Form(
        norm_step,
        {
            "w": ("W",),
            "u": ("U",),
            "b": ("b",),
            "gain": ("gain_x", "gain_h"),
            "gain_c": ("gain_c",),
            "b_c": ("b_c",),
        },
        (0.0, 0.0),
    ),
}
"""By the name of the cell. The sLSTM has one head."""
