"""One step of some cells, written from the papers' equations, not from the cell files.

Names and order of the arguments are the papers'. Each returns output and states.
"""

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def peephole_lstm(w: Weights, x: Tensor, h: Tensor, c: Tensor, coupled: bool = False):
    """Greff et al., 2017, section II-B; coupled: f = 1 - i, their variant CIFG."""

    def net(gate: str) -> Tensor:
        return x @ w[f"W_{gate}"].T + h @ w[f"U_{gate}"].T + w[f"b_{gate}"]

    z = torch.tanh(net("g"))
    i = 1 / (1 + torch.exp(-(net("i") + w["p_i"] * c)))
    f = 1 - i if coupled else 1 / (1 + torch.exp(-(net("f") + w["p_f"] * c)))
    new = z * i + c * f
    o = 1 / (1 + torch.exp(-(net("o") + w["p_o"] * new)))
    y = torch.tanh(new) * o
    return y, (y, new)


def highway(w: Weights, x: Tensor, s: Tensor, depth: int):
    """Zilly et al., 2017, equations 6 to 9: x enters the first micro-step only."""
    for layer in range(1, depth + 1):

        def net(name: str, layer: int = layer, s: Tensor = s) -> Tensor:
            own = s @ w[f"R_{name}_{layer}"].T + w[f"b_{name}_{layer}"]
            return own + x @ w[f"W_{name}"].T if layer == 1 else own

        h, t, c = torch.tanh(net("n")), torch.sigmoid(net("t")), torch.sigmoid(net("k"))
        s = h * t + s * c
    return s, (s,)


def layer_norm(a: Tensor) -> Tensor:
    """Ba et al., 2016, equation 4, without gain and bias; torch.nn's epsilon."""
    mean = a.sum(-1, keepdim=True) / a.shape[-1]
    squares = ((a - mean) ** 2).sum(-1, keepdim=True) / a.shape[-1]
    return (a - mean) / (squares + 1e-5) ** 0.5


def lstm_norm(w: Weights, x: Tensor, h: Tensor, c: Tensor):
    """Ba et al., 2016, equations 20 to 22: two norms of all gates, one of c."""
    gates = w["gain_h"] * layer_norm(h @ w["U"].T)
    gates = gates + w["gain_x"] * layer_norm(x @ w["W"].T) + w["b"]
    i, f, g, o = gates.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(w["gain_c"] * layer_norm(c) + w["b_c"])
    return h, (h, c)


def slstm(
    w: Weights, x: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor, heads: int
):
    """Beck et al., 2024, equations 8 to 17, exponential input and sigmoid forget gate.

    Equation 15 of the stabiliser, m = max(log f + m, log i), has no m at the first
    step; a row whose normaliser n is still 0 begins with m = log i.
    """

    def net(gate: str) -> Tensor:
        parts = h.chunk(heads, dim=-1)
        own = [part @ r.T for part, r in zip(parts, w[f"R_{gate}"], strict=True)]
        return x @ w[f"W_{gate}"].T + torch.cat(own, dim=-1) + w[f"b_{gate}"]

    z, o = torch.tanh(net("z")), torch.sigmoid(net("o"))
    log_i, log_f = net("i"), -torch.log1p(torch.exp(-net("f")))
    begun = (n != 0).any(dim=-1, keepdim=True)
    # A number in place of the -inf of rows that have not begun: its slope is not used.
    carried = log_f + torch.where(begun, m, torch.zeros_like(m))
    top = torch.where(begun, torch.maximum(carried, log_i), log_i)
    i = torch.exp(log_i - top)
    f = torch.where(begun, torch.exp(carried - top), torch.zeros_like(top))
    c = f * c + i * z
    n = f * n + i
    h = o * (c / n)
    return h, (h, c, n, top)
