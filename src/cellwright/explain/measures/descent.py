"""Steps of gradient descent from where a network stands, and units that stay twins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from cellwright.default_dtype import float64_by_default
from cellwright.explain.collapses import CONVOLUTIONS
from cellwright.explain.watching import in_evaluation, layers_of, tensors

from .facts import Descent, Twins
from .faults import MeasureError

SEED = 1
STEPS, LENGTH = 10, 0.1
"""Of the way down the gradient that shows whether twins part; no step is longer, so
that none runs away, whatever the weights are."""
Weights = dict[str, Tensor]


def descent(module: nn.Module, x: Tensor, rate: float) -> Descent:
    """Take one step of gradient descent in float64, and return what it did.

    The loss is the mean squared distance of the output from standard normal numbers; of
    several outputs the sum of these.

    Args:
        module: stays as it is.
        x: its input.
        rate: the learning rate.

    Raises:
        MeasureError: when there is nothing to move.
    """
    before = _weights(module)
    loss, gradients = _gradients(module, before, x)
    if not gradients:
        raise MeasureError(
            "--rate: a step moves weights that are trained; found none on which the "
            "output hangs\n  fix: leave --rate out"
        )
    after = _behind(before, gradients, rate)
    found = {name: float((rate * g).abs().max()) for name, g in gradients.items()}
    then, _ = _gradients(module, after, x)
    moved = tuple((name, most) for name, most in found.items() if most)
    return Descent(rate, loss, then if math.isfinite(then) else None, moved)


def twins(module: nn.Module, x: Tensor) -> Iterator[Twins]:
    """Yield what is true of units with equal weights, of linear and sliding layers.

    Args:
        module: stays as it is.
        x: its input.
    """
    kinds = (nn.Linear, *CONVOLUTIONS)
    layers = {
        path: each
        for path, each in layers_of(module).items()
        if isinstance(each, kinds) and isinstance(each.weight, nn.Parameter)
    }
    # Weights that several layers share have the name of the first.
    names = {id(value): name for name, value in module.named_parameters()}
    now = dict(module.named_parameters())
    groups = {path: _equal(_rows(now, each, names)) for path, each in layers.items()}
    # Copies in float64 are large, and for twins alone.
    weights = _weights(module) if any(groups.values()) else {}
    reached: set[str] = set()
    for _ in range(STEPS if weights else 0):
        _, gradients = _gradients(module, weights, x)
        reached |= gradients.keys()
        norm = sum(float(g.square().sum()) for g in gradients.values()) ** 0.5
        weights = _behind(weights, gradients, LENGTH / norm if norm else 0.0)
    for path, found in groups.items():
        units = len(layers[path].get_parameter("weight"))
        rows = _rows(weights, layers[path], names) if found else torch.empty(0)
        moved = names[id(layers[path].get_parameter("weight"))] in reached
        apart = (float((rows[list(g)] - rows[g[0]]).abs().max()) for g in found)
        kept = tuple(each if moved else None for each in apart)
        yield Twins(path, units, found, STEPS, kept)


def _weights(module: nn.Module) -> Weights:
    """Return copies of a module's weights in float64, by name."""
    return {
        name: value.detach().double().requires_grad_(value.requires_grad)
        for name, value in module.named_parameters()
    }


def _gradients(
    module: nn.Module, weights: Weights, x: Tensor
) -> tuple[float, Mapping[str, Tensor]]:
    """Return the loss with some weights, and the gradients of the trained ones."""
    buffers = {n: _wide(value.clone()) for n, value in module.named_buffers()}
    with in_evaluation(module), torch.enable_grad(), float64_by_default():
        result: Any = functional_call(module, {**weights, **buffers}, (_wide(x),))
        outputs = [each for each in tensors(result) if each.requires_grad]
        if not outputs:
            return math.nan, {}
        draws = torch.Generator().manual_seed(SEED)
        aims = [torch.randn(each.shape, generator=draws) for each in outputs]
        pairs = zip(outputs, aims, strict=True)
        loss = torch.stack([F.mse_loss(o, a.to(o.device)) for o, a in pairs]).sum()
        trained = {n: value for n, value in weights.items() if value.requires_grad}
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    gradients = zip(trained, found, strict=True)
    return float(loss.detach()), {n: g for n, g in gradients if g is not None}


def _behind(before: Weights, gradients: Mapping[str, Tensor], rate: float) -> Weights:
    after = dict(before)
    for name, gradient in gradients.items():
        after[name] = (before[name] - rate * gradient).detach().requires_grad_()
    return after


def _wide(value: Tensor) -> Tensor:
    return value.detach().double() if value.is_floating_point() else value


def _rows(
    weights: Mapping[str, Tensor], layer: nn.Module, names: Mapping[int, str]
) -> Tensor:
    """Return the weights of each unit of a layer, its bias behind them."""
    own = dict(layer.named_parameters(recurse=False))
    parts = [weights[names[id(own[n])]] for n in ("weight", "bias") if n in own]
    return torch.cat([part.detach().reshape(len(part), -1) for part in parts], 1)


def _equal(rows: Tensor) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of equal rows, those of two or more."""
    _, kinds, counts = rows.unique(dim=0, return_inverse=True, return_counts=True)
    several = (counts > 1).nonzero()
    groups = ((kinds == kind).nonzero().flatten().tolist() for kind in several)
    return tuple(sorted(map(tuple, groups)))
