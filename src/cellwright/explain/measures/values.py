"""What each layer gives, as numbers: its spread, and one unit worked out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.explain.facts import Network
from cellwright.explain.watching import in_evaluation, layers_of, tensors

from .facts import Spread, Working
from .faults import MeasureError

Ran = Mapping[str, tuple[Tensor, Tensor]]
"""By layer what its first call took and gave."""


def run(module: nn.Module, x: Tensor) -> Ran:
    """Run a module in evaluation, and return what its layers took and gave.

    Args:
        module: stays as it is.
        x: its input.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def note(path: str) -> Any:
        def hook(_: nn.Module, given: Any, named: Any, result: Any) -> None:
            pair = [next(tensors(each), None) for each in ((given, named), result)]
            if pair[0] is not None and pair[1] is not None:
                # A layer behind it may write over it.
                found.setdefault(path, (pair[0].clone(), pair[1].clone()))

        return hook

    handles = [
        layer.register_forward_hook(note(path), with_kwargs=True)
        for path, layer in layers_of(module).items()
    ]
    try:
        with in_evaluation(module), torch.no_grad():
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def spreads(ran: Ran, facts: Network) -> Iterator[Spread]:
    """Yield what each layer gives.

    Args:
        ran: the run.
        facts: of the network, for the names of axes.
    """
    for layer in facts.layers:
        if layer.path not in ran or not layer.gives:
            continue
        values = ran[layer.path][1]
        names = [axis.name for axis in layer.gives[0]]
        axis = names.index("channels") if "channels" in names else len(names) - 1
        if not values.numel() or axis < 0 or not values.is_floating_point():
            continue
        each = values.movedim(axis, 0).reshape(values.shape[axis], -1)
        off = int((each == 0).all(1).sum())
        deviation, mean = torch.std_mean(values.double(), correction=0)
        yield Spread(layer.path, float(mean), float(deviation), len(each), off)


def workings(module: nn.Module, ran: Ran, unit: int) -> Iterator[Working]:
    """Yield a unit of every linear layer, worked out for the first row.

    Args:
        module: that ran.
        ran: the run.
        unit: its number, in layers that have so many.

    Raises:
        MeasureError: when no linear layer has such a unit.
    """
    layers = layers_of(module)
    sizes = {p: m.out_features for p, m in layers.items() if isinstance(m, nn.Linear)}
    if unit < 0 or unit >= max(sizes.values(), default=0):
        listed = ", ".join(f"{path or '.'} with {n}" for path, n in sizes.items())
        raise MeasureError(
            f"--unit {unit}: is one of a linear layer's, from 0; found "
            f"{listed or 'no linear layer'}\n"
            "  fix: another number; units of recurrent layers are worked out in --html"
        )
    for path, size in sizes.items():
        if path not in ran or unit >= size:
            continue
        layer: Any = layers[path]
        taken, given = ran[path]
        row = taken.reshape(-1, layer.in_features)[0].tolist()
        weights = layer.weight[unit].tolist()
        bias = None if layer.bias is None else float(layer.bias[unit].detach())
        value = float(given.reshape(-1, size)[0, unit])
        pairs = tuple(zip(weights, row, strict=True))
        trained = all(each.requires_grad for each in layer.parameters(recurse=False))
        yield Working(path, unit, pairs, bias, trained, value)
