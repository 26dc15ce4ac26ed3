"""The table of functions: signatures, and the value of every function."""

from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import cellwright as cw
from cell_texts import codes_of
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.language.functions import FUNCTIONS

BOUND = TOLERANCES["reference", "float64"].bound
V = torch.tensor([-2.0, 0.0, 0.5, 3.0], dtype=torch.float64)
GROUPED = V.view(2, 2)
RAMP = 2.0 * torch.arange(4).double().unsqueeze(1) + torch.arange(4)
VALUES: dict[str, Tensor] = {
    "sigmoid(x)": torch.sigmoid(V),
    "tanh(x)": torch.tanh(V),
    "relu(x)": torch.relu(V),
    "exp(x)": torch.exp(V),
    "log(abs(x) + 1)": torch.log(V.abs() + 1),
    "sqrt(abs(x))": V.abs().sqrt(),
    "abs(x)": V.abs(),
    "floor(x)": V.floor(),
    "sin(x)": V.sin(),
    "cos(x)": V.cos(),
    "softplus(x)": -F.logsigmoid(-V),
    "log_sigmoid(x)": F.logsigmoid(V),
    "maximum(x, 0.5)": V.clamp(min=0.5),
    "minimum(x, 0.5)": V.clamp(max=0.5),
    "where(x > 0, x, 7)": torch.where(V > 0, V, 7.0),
    "silu(x)": F.silu(V),
    "clip(x, -1, 2)": V.clamp(-1, 2),
    "hard_sigmoid(x)": F.hardsigmoid(V),
    "x * 0 + sum(x)": V.sum().expand(4),
    "repeat(sum(x, 2), 2)": GROUPED.sum(1).repeat_interleave(2),
    "x * 0 + mean(x)": V.mean().expand(4),
    "repeat(mean(x, 2), 2)": GROUPED.mean(1).repeat_interleave(2),
    "x * 0 + max(x)": V.max().expand(4),
    "repeat(max(x, 2), 2)": GROUPED.amax(1).repeat_interleave(2),
    "layer_norm(x)": F.layer_norm(V, (4,)),
    "layer_norm(x, 2)": F.layer_norm(GROUPED, (2,)).flatten(),
    "softmax(x)": V.softmax(0),
    "softmax(x, 2)": GROUPED.softmax(1).flatten(),
    "concat(p, q)": torch.cat([V[:1], V[1:]]),
    "repeat(p, 4)": V[:1].repeat(4),
    "transpose(K) @ x": RAMP.T @ V,
    "stop_gradient(x)": V,
    "surrogate(x, tanh(x))": V,
    "x * pi": V * math.pi,
}


@pytest.mark.parametrize("text", VALUES)
def test_value_of_function(text: str) -> None:
    """Each function computes what its row says, as torch does."""
    words = set(re.findall(r"\w+", text))
    parts = "p, q = split(x, 1, 3)\n" if {"p", "q"} & words else ""
    used = " + 0 * (sum(p) + sum(q))" if parts else ""
    head = "input x [4]\nstate h [4]\noutput h'\n"
    if "K" in words:
        head += "constant K [i: 4, j: 4] = 2 * i + j\n"
    cell = find(f"{head}{parts}h' = {text} + h{used}\n")
    layer = cw.nn.Recurrent(cell, 4, 4, dtype=torch.float64)
    output, _ = layer(V.unsqueeze(0))
    assert error(output[0], VALUES[text]) <= BOUND


def test_every_function_is_tried() -> None:
    """The table above, with the draws and split, leaves no function out."""
    tried = {name for name in FUNCTIONS if any(f"{name}(" in text for text in VALUES)}
    draws = {name for name, row in FUNCTIONS.items() if row.kind == "draw"}
    assert tried | draws | {"split"} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_is_the_rule(name: str) -> None:
    """One argument less or one more than the signature says is an error."""
    row = FUNCTIONS[name]
    least = row.values[0] + row.size_arguments[0]
    most = row.values[1] + row.size_arguments[1]
    wrong = [least - 1] if least else []
    wrong += [int(most) + 1] if most != math.inf else []
    for count in wrong:
        text = f"input x\nstate s\noutput s'\ns' = x + s + {name}({'x, ' * count}"
        text = text.removesuffix(", ") + ")"
        assert codes_of(text) == ["arguments"], text
    assert row.meaning
    assert row.name == name


def test_draws_have_their_kind() -> None:
    """Glorot and orthogonal are torch's, for a matrix and for each of its blocks."""
    text = "input x [input_size]\nstate h [hidden_size]\noutput h'\n"
    text += "weight U [hidden_size, hidden_size] = 2 * orthogonal\n"
    text += "weight R [2, hidden_size / 2, hidden_size / 2] = orthogonal\n"
    text += "weight W [hidden_size, input_size] = glorot\n"
    text += "h' = W @ x + U @ h + R @ h\n"
    layer = cw.nn.Recurrent(text, 30, 4, dtype=torch.float64)
    eye = torch.eye(4, dtype=torch.float64)
    values = {name: value.detach() for name, value in layer.named_parameters()}
    u, r, w = values["U_l0"], values["R_l0"], values["W_l0"]
    assert error(u @ u.T, 4 * eye) <= BOUND
    assert error(r[1] @ r[1].T, eye[:2, :2]) <= BOUND
    bound = math.sqrt(6 / 34)
    assert 0.9 * bound < w.abs().max().item() <= bound
    vector = text.replace("x [input_size]", "x [input_size]\nweight v = glorot")
    assert codes_of(vector) == ["shape"]
