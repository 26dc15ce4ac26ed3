"""From the last states of an encoder to the first states of a decoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.language.report import did_you_mean

from .errors import OptionError
from .regularise import infinite_states
from .shapes import check_dtype
from .stack import Stack
from .stateful import Layer, graph_of, state_shapes
from .torch_path import cast_as

Coder = Layer | Stack
"""What encodes or decodes."""


class LinearBridge(nn.Module):
    """A learned affine map from all states of an encoder to all states of a decoder.

    Args:
        encoder: a layer or a stack.
        decoder: likewise.
    """

    def __init__(self, encoder: Coder, decoder: Coder):
        super().__init__()
        for name, coder in (("encoder", encoder), ("decoder", decoder)):
            _require_numbers(name, coder)
        self._encoder = _states(encoder)
        self._decoder = _states(decoder)
        self._nested = isinstance(decoder, Stack)
        like = next(iter([*decoder.parameters(), *decoder.buffers()]))
        reads, makes = (
            sum(math.prod(shape) for shapes in states for shape in shapes.values())
            for states in (self._encoder, self._decoder)
        )
        self.linear = nn.Linear(reads, makes, device=like.device, dtype=like.dtype)

    def forward(self, state: Any) -> Any:
        """Return first states of the decoder from last states of the encoder.

        Raises:
            DtypeError: for states of another dtype or device than the bridge.
        """
        given = cast_as(_flat(state), self.linear.weight)
        states = [pair for each in self._encoder for pair in each.items()]
        for (name, _), value in zip(states, given, strict=True):
            check_dtype("EncoderDecoder.bridge", name, value, self.linear.weight)
        batched = given[0].dim() > len(states[0][1])
        # Rows first: [L*D, B, H] -> [B, L*D*H].
        rows = [
            value.transpose(0, 1).flatten(1) if batched else value.reshape(1, -1)
            for value in given
        ]
        made = self.linear(torch.cat(rows, -1))
        layers: list[Any] = []
        for each in self._decoder:
            values: list[Tensor] = []
            for shape in each.values():
                part, made = made.tensor_split([math.prod(shape)], -1)
                value = part.unflatten(-1, shape).transpose(0, 1)
                values.append(value.contiguous() if batched else value.squeeze(1))
            layers.append(tuple(values) if len(values) > 1 else values[0])
        return tuple(layers) if self._nested else layers[0]


def layers_of(coder: Coder) -> list[Any]:
    """Return the layers of a stack, or the one layer."""
    return [*coder.layers] if isinstance(coder, Stack) else [coder]


def _require_numbers(name: str, coder: Coder) -> None:
    """Refuse states that no affine map can read or make.

    Raises:
        OptionError: for a counter, which a learned number would stop, and for a state
            that begins at an infinity.
    """
    for layer in layers_of(coder):
        counters = [n for n, shape in state_shapes(layer).items() if len(shape) < 2]
        endless = infinite_states(graph_of(layer))
        if counters or endless:
            what = "is one number a row" if counters else "begins at an infinity"
            raise OptionError(
                "EncoderDecoder: bridge='linear' is for states with a real number for "
                f"each unit; {(counters or endless)[0]} of the {name} {what}\n"
                "  fix: a module of your own as bridge=, or a decoder like the encoder"
            )


def make_bridge(encoder: Coder, decoder: Coder, bridge: object) -> nn.Module | None:
    """Return what makes the decoder's state of the encoder's, None for nothing.

    Args:
        encoder: a layer or a stack.
        decoder: likewise.
        bridge: what a person gave: None, ``"linear"`` or a module.

    Raises:
        OptionError: when nothing will not do.
    """
    if isinstance(bridge, nn.Module):
        return bridge
    if bridge == "linear":
        return LinearBridge(encoder, decoder)
    if bridge is not None:
        close = did_you_mean(str(bridge), ["linear"])
        text = f"EncoderDecoder: bridge={bridge!r} is not None, 'linear' or a module."
        raise OptionError(f"{text} {close}".rstrip())
    alike = isinstance(encoder, Stack) == isinstance(decoder, Stack)
    if alike and [list(s.items()) for s in _states(encoder)] == [
        list(s.items()) for s in _states(decoder)
    ]:
        return None
    raise OptionError(
        "EncoderDecoder: the decoder begins with the last states of the encoder, each "
        "with the one of the same name\n"
        f"  encoder  {_listed(encoder)}\n"
        f"  decoder  {_listed(decoder)}\n"
        '  fix      make them alike, or learn the way over with bridge="linear"'
    )


def _states(coder: Coder) -> list[dict[str, tuple[int, ...]]]:
    """Return the shapes of the states of each layer by name, without batch."""
    return [state_shapes(layer) for layer in layers_of(coder)]


def _listed(coder: Coder) -> str:
    """Return the states of a layer or a stack in words."""
    nested = isinstance(coder, Stack)
    words = [
        f"{f'layers.{index}.' if nested else ''}{name} "
        f"[{', '.join(map(str, [shape[0], 'B', *shape[1:]]))}]"
        for index, shapes in enumerate(_states(coder))
        for name, shape in shapes.items()
    ]
    return f"{', '.join(words)} of {type(coder).__name__}"


def _flat(state: Any) -> list[Tensor]:
    """Return every tensor of a state, of each layer in its order."""
    if isinstance(state, Tensor):
        return [state]
    return [value for each in state for value in _flat(each)]
