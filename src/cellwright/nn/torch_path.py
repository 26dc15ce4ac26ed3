"""torch.nn's own way to run its layers, and what it does with dtypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from cellwright.autograd import is_autocast


class TorchLayer(Protocol):
    """What torch's functions ask of a layer."""

    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]]
    mode: str
    bias: bool
    num_layers: int
    dropout: float
    training: bool
    bidirectional: bool


def run_torch(
    layer: TorchLayer,
    weights: Mapping[str, Tensor],
    x: Tensor,
    given: Sequence[Tensor],
    batch_first: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Return the output and the last states of a layer.

    Args:
        layer: says what runs.
        weights: in torch.nn's order.
        x: ``[T, B, I]``, ``[B, T, I]`` with batch_first.
        given: first states, ``[L*D, B, H]``.
        batch_first: layout of the input and the output.
    """
    states = list(given) if len(given) > 1 else given[0]
    function = layer.torch_functions[layer.mode]
    output, *last = function(x, states, *_rest(layer, weights), batch_first)
    return output, last


def run_torch_packed(
    layer: TorchLayer,
    weights: Mapping[str, Tensor],
    packed: PackedSequence,
    given: Sequence[Tensor],
    ordered: bool,
) -> tuple[PackedSequence, list[Tensor]]:
    """Return the packed output and the last states of a layer.

    Args:
        layer: says what runs.
        weights: in torch.nn's order.
        packed: the input.
        given: first states, ``[L*D, B, H]``.
        ordered: whether these are the caller's, in the order of the rows before packing
            sorted them.
    """
    data, sizes, order, back = packed
    if ordered and order is not None:
        given = [state.index_select(1, order) for state in given]
    states = list(given) if len(given) > 1 else given[0]
    function = layer.torch_functions[layer.mode]
    output, *last = function(data, sizes, states, *_rest(layer, weights))
    if back is not None:
        last = [state.index_select(1, back) for state in last]
    return PackedSequence(output, sizes, order, back), last


def is_cast(value: Tensor, like: Tensor) -> bool:
    """Tell whether torch itself casts two tensors to one dtype, under autocast."""
    return (
        value.dtype not in (like.dtype, torch.float64)
        and value.is_floating_point()
        and is_autocast(value.device.type)
    )


def cast_as(value: Any, like: Tensor) -> Any:
    """Return a tensor that autocast would cast in the dtype of another.

    Our backends compute in the dtype of the weights. Lists and tuples are looked
    through; anything else, and every tensor without autocast, comes back as it is.
    """
    if isinstance(value, Tensor):
        return value.to(like.dtype) if is_cast(value, like) else value
    if type(value) in (list, tuple):
        return type(value)([cast_as(each, like) for each in value])
    return value


def _rest(
    layer: TorchLayer, weights: Mapping[str, Tensor]
) -> tuple[list[Tensor], bool, int, float, bool, bool]:
    flags = (layer.bias, layer.num_layers, layer.dropout, layer.training)
    return (list(weights.values()), *flags, layer.bidirectional)
