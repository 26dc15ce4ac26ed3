"""Which function tells which class of layers."""

from __future__ import annotations

from torch import nn

from cellwright.explain.last_step import LastStep

from .convolution import convolution, pooling
from .plain import (
    any_layer,
    bend,
    channel_dropout,
    dropout,
    embedding,
    flatten,
    last_step,
    linear,
    norm,
    slope,
)
from .recurrent import made_of
from .recurrent_told import recurrent
from .told import Seen, Teller, Told

TELLERS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Teller], ...] = (
    (nn.Linear, linear),
    (nn.Embedding, embedding),
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), convolution),
    ((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), pooling),
    ((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), pooling),
    ((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), pooling),
    ((nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), channel_dropout),
    (nn.Dropout, dropout),
    ((nn.LayerNorm, nn.GroupNorm), norm),
    ((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), norm),
    (nn.PReLU, slope),
    ((nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU), bend),
    (nn.Flatten, flatten),
    (LastStep, last_step),
)
"""The first row whose class a layer has tells it."""


def is_layer(module: nn.Module) -> bool:
    """Whether a module is told: it has numbers of its own, or no module inside."""
    return is_whole(module) or next(module.parameters(recurse=False), None) is not None


def is_whole(module: nn.Module) -> bool:
    """Whether a module is told as one, with all that is inside of it."""
    return made_of(module) is not None or not any(module.children())


def describe(module: nn.Module, seen: Seen) -> Told:
    """Return what is true of a layer.

    Args:
        module: the layer.
        seen: its first call in a run.
    """
    made = made_of(module)
    if made is not None:
        return recurrent(module, made, seen)
    for classes, teller in TELLERS:
        if isinstance(module, classes):
            return teller(module, seen)
    return any_layer(module, seen)
