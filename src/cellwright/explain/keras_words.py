"""Keras' words for layers, and the torch modules that compute the same.

Sources: the signatures of keras.layers, Keras 3. The recurrent layers have as many
weights as Keras' have: one bias for LSTM and SimpleRNN, two for GRU. First values are
Keras' for Dense; those of recurrent layers are drawn as cellwright draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from cellwright.nn import Recurrent

from .keras_initialisers import initialise
from .last_step import LastStep


@dataclass(frozen=True)
class Built:
    """What a layer's words make.

    Args:
        modules: one or more; an activation is a module of its own.
        width: numbers in a row behind them, None where that hangs on the input.
        example: the shape of one input that the words told.
    """

    modules: Sequence[nn.Module]
    width: int | None
    example: tuple[int, ...] | None


ACTIVATIONS: Mapping[str, Callable[[], nn.Module] | None] = {
    "linear": None,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(-1),
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
}


def _dense(
    width: int | None,
    units: int,
    activation: str | None = None,
    use_bias: bool = True,
    kernel_initializer: str = "glorot_uniform",
) -> Built:
    bend = _bend(activation)
    layer = nn.Linear(_known(width), units, use_bias)
    initialise(layer.weight, kernel_initializer, "kernel_initializer")
    if use_bias:
        nn.init.zeros_(layer.bias)
    return Built([layer, *bend], units, None)


def _recurrent(cell: str) -> Callable[..., Built]:
    def make(
        width: int | None,
        units: int,
        return_sequences: bool = False,
        use_bias: bool = True,
    ) -> Built:
        inputs = _known(width)
        module: nn.Module
        if cell == "gru":
            # Keras' default has a second bias for every gate, as torch.nn has.
            module = nn.GRU(inputs, units, bias=use_bias, batch_first=True)
        else:
            module = Recurrent(cell, inputs, units, bias=use_bias, batch_first=True)
        last = [] if return_sequences else [LastStep()]
        return Built([module, *last], units, None)

    return make


def _embedding(_: int | None, input_dim: int, output_dim: int) -> Built:
    return Built([nn.Embedding(input_dim, output_dim)], output_dim, None)


def _dropout(width: int | None, rate: float) -> Built:
    return Built([nn.Dropout(rate)], width, None)


def _activation(width: int | None, activation: str) -> Built:
    return Built(_bend(activation), width, None)


def _bend(activation: str | None) -> list[nn.Module]:
    if activation is not None and activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise TypeError(f"activation={activation!r} is none of {known}")
    made_by = ACTIVATIONS[activation] if activation is not None else None
    return [] if made_by is None else [made_by()]


def _known(width: int | None) -> int:
    if width is None:
        raise LookupError
    return width


KERAS: Mapping[str, Callable[..., Built]] = {
    "Dense": _dense,
    "LSTM": _recurrent("lstm"),
    "SimpleRNN": _recurrent("elman"),
    "GRU": _recurrent("gru"),
    "Embedding": _embedding,
    "Dropout": _dropout,
    "Activation": _activation,
}
KERAS_ALONE = KERAS.keys() - {"LSTM", "GRU", "Embedding", "Dropout"}
"""Names that torch.nn has not."""

SILENT = frozenset(("return_state", "stateful", "input_length", "name"))
"""Arguments that change nothing of what a layer is made of."""

_WORDS = SILENT | frozenset(
    (
        *("return_sequences", "units", "use_bias", "rate"),
        *("input_shape", "batch_input_shape", "input_dim", "output_dim", "activation"),
        "kernel_initializer",
    )
)


def is_keras(
    owner: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bool:
    """Whether a layer is written in Keras' words; some names are both libraries'.

    A recurrent layer with one number is Keras': torch.nn's have two at least.

    Args:
        owner: what stands before the name.
        name: the layer's.
        args: its arguments.
        kwargs: likewise.
    """
    if name not in KERAS or owner.endswith("nn"):
        return False
    if owner or name in KERAS_ALONE or _WORDS & kwargs.keys():
        return True
    return name in ("LSTM", "GRU") and len(args) == 1 and "hidden_size" not in kwargs
