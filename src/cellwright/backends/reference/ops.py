"""What each op of the graph is in torch: one row an op.

Values keep their axes last and the batch in front. A scalar that has a batch is
``[..., 1]``, so it broadcasts against vectors; one that has none may be ``[]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Resolved = None | str | float | int | tuple[int, ...]
"""An attribute whose sizes have become whole numbers."""

Implementation = Callable[[Sequence[Tensor], Any], Tensor]


class Surrogate(torch.autograd.Function):
    """The first argument's value with the second one's derivative, exactly.

    ``proxy + (value - proxy).detach()`` is not: its rounding is a spike of 1e-17.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, proxy: Tensor) -> Tensor:
        """Return the value, as a tensor of its own."""
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Keep nothing: neither derivative needs a value."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        """Hand the gradient to the second argument alone."""
        return None, grads[0]

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        """Return the second argument's tangent."""
        return tangents[1].clone()


def surrogate(args: Sequence[Tensor], _: Resolved) -> Tensor:
    """Return the value of the first argument with the derivative of the second."""
    value, proxy = torch.broadcast_tensors(*args)
    return Surrogate.apply(value.detach(), proxy)


def _function(function: Callable[..., Tensor]) -> Implementation:
    return lambda args, _: function(*args)


def _compare(function: Callable[[Tensor, Tensor], Tensor]) -> Implementation:
    return lambda args, _: function(*args).to(torch.result_type(*args))


def _matmul(args: Sequence[Tensor], _: Resolved) -> Tensor:
    matrix, vector = args
    if matrix.dim() == 2:
        return F.linear(vector, matrix)
    blocks = vector.unflatten(-1, (matrix.shape[0], matrix.shape[2]))
    return torch.einsum("...kq,kpq->...kp", blocks, matrix).flatten(-2)


def _outer(args: Sequence[Tensor], blocks: int | None) -> Tensor:
    rows, columns = (_grouped(v, blocks) for v in args)
    found = rows.unsqueeze(-1) * columns.unsqueeze(-2)
    return found.squeeze(-3) if blocks is None else found


def _grouped(v: Tensor, groups: int | None) -> Tensor:
    return v.unflatten(-1, (groups or 1, v.shape[-1] // (groups or 1)))


def _concat(args: Sequence[Tensor], _: Resolved) -> Tensor:
    lead = torch.broadcast_shapes(*(v.shape[:-1] for v in args))
    return torch.cat([v.expand(*lead, v.shape[-1]) for v in args], dim=-1)


def _slice(args: Sequence[Tensor], attr: tuple[int, int]) -> Tensor:
    return args[0].narrow(-1, *attr)


def _repeat(args: Sequence[Tensor], times: int) -> Tensor:
    return args[0].repeat_interleave(times, dim=-1)


def _fill(args: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    lead = args[0].shape[:-1]
    return args[0].expand(*lead, *shape)


def _where(args: Sequence[Tensor], _: Resolved) -> Tensor:
    condition, yes, no = args
    return torch.where(condition != 0, yes, no)


TORCH: dict[str, Implementation] = {
    "add": _function(torch.add),
    "sub": _function(torch.sub),
    "mul": _function(torch.mul),
    "div": _function(torch.div),
    "mod": _function(torch.remainder),
    "power": _function(torch.pow),
    "neg": _function(torch.neg),
    "lt": _compare(torch.lt),
    "le": _compare(torch.le),
    "gt": _compare(torch.gt),
    "ge": _compare(torch.ge),
    "eq": _compare(torch.eq),
    "ne": _compare(torch.ne),
    "sigmoid": _function(torch.sigmoid),
    "tanh": _function(torch.tanh),
    "relu": _function(torch.relu),
    "exp": _function(torch.exp),
    "log": _function(torch.log),
    "sqrt": _function(torch.sqrt),
    "abs": _function(torch.abs),
    "floor": _function(torch.floor),
    "sin": _function(torch.sin),
    "cos": _function(torch.cos),
    # F.softplus is the identity from 20 on, an error of 2e-9: too much for the truth.
    "softplus": lambda args, _: -F.logsigmoid(-args[0]),
    "log_sigmoid": _function(F.logsigmoid),
    "maximum": _function(torch.maximum),
    "minimum": _function(torch.minimum),
    "where": _where,
    "surrogate": surrogate,
    "matmul": _matmul,
    "row_sum": lambda args, groups: _grouped(args[0], groups).sum(-1),
    "row_max": lambda args, groups: _grouped(args[0], groups).amax(-1),
    "concat": _concat,
    "slice": _slice,
    "repeat": _repeat,
    "fill": _fill,
    "transpose": lambda args, _: args[0].mT,
    "outer": _outer,
}


def uniform(low: Tensor, high: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw evenly between ``low`` and ``high``."""
    drawn = torch.rand(shape, dtype=low.dtype, device=low.device)
    return low + (high - low) * drawn


def normal(mean: Tensor, deviation: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw from a normal distribution."""
    return mean + deviation * torch.randn(shape, dtype=mean.dtype, device=mean.device)


def matrices(fill: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Fill a matrix, or each block of a block-diagonal one, with torch.nn.init."""
    blocks = like if like.dim() == 3 else like.unsqueeze(0)
    return torch.stack([fill(torch.empty_like(b)) for b in blocks]).reshape(like.shape)


def number(value: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return a number in every entry of ``shape``, of the dtype and device of ``like``.

    It is rounded as a float64 buffer would be: 1e308 is infinite in float32.
    """
    # torch.full refuses such a number, and some devices have no float64 to round from.
    exact = torch.tensor(value, dtype=torch.float64, device="cpu")
    return exact.to(like.dtype).to(like.device).expand(shape)
