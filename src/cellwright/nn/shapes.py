"""Check what a layer is called with, and say what does not fit, by name and layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .errors import DtypeError, ShapeError


class Layout(NamedTuple):
    """How the tensors of one call lie.

    Args:
        layer: the layer in words, ``GRU(input_size=3, hidden_size=8)``.
        batched: whether the input had a batch axis.
        batch_first: whether the batch stood first.
    """

    layer: str
    batched: bool
    batch_first: bool

    def time_first(self, value: Tensor) -> Tensor:
        """Return ``value`` as ``[T, B, ...]``."""
        if not self.batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if self.batch_first else value

    def as_given(self, value: Tensor) -> Tensor:
        """Return ``[T, B, ...]`` in the layout of the input."""
        if not self.batched:
            return value.squeeze(1)
        return value.transpose(0, 1) if self.batch_first else value


def read_layout(
    layer: str, x: object, input_size: int, batch_first: bool, like: Tensor
) -> tuple[Tensor, Layout]:
    """Return the input as ``[T, B, I]`` and how it lay.

    Args:
        layer: the layer in words.
        x: what the caller gave.
        input_size: features that the layer takes.
        batch_first: whether the batch stands first.
        like: a tensor of the layer's dtype and device.

    Raises:
        DtypeError: when it is no tensor, or not of the layer's dtype and device.
        ShapeError: when its shape does not fit.
    """
    if not isinstance(x, Tensor):
        raise DtypeError(f"{layer}: the input is a {type(x).__name__}, not a Tensor")
    check_dtype(layer, "input", x, like)
    words = "[B, T, I]" if batch_first else "[T, B, I]"
    if x.dim() not in (2, 3):
        raise ShapeError(
            f"{layer}: the input is {words}, or [T, I] without a batch\n"
            f"  got  input {list(x.shape)}, {x.dim()} axes"
        )
    layout = Layout(layer, x.dim() == 3, batch_first)
    if x.shape[-1] != input_size:
        expected = words if layout.batched else "[T, I]"
        sizes = expected.replace("I", f"I={input_size}")
        raise ShapeError(
            f"{layer}: the last axis of the input must be input_size\n"
            f"  expected  input {sizes}\n"
            f"  got       input {list(x.shape)}{_reading(x, layout)}"
        )
    x = layout.time_first(x)
    if x.shape[0] == 0:
        raise ShapeError(
            f"{layer}: a sequence has at least one time step; "
            f"the input, read as [T, B, I], is {list(x.shape)}"
        )
    return x, layout


def batch_of(x: Tensor | PackedSequence, batch_first: bool) -> tuple[int, bool]:
    """Return the number of rows of an input, and whether it has a batch axis.

    Args:
        x: an input that a layer has read.
        batch_first: whether the batch stands first.

    Example:
        >>> batch_of(torch.zeros(7, 2, 3), batch_first=False)
        (2, True)
        >>> batch_of(torch.zeros(7, 3), batch_first=False)
        (1, False)
    """
    if isinstance(x, PackedSequence):
        return int(x.batch_sizes[0]), True
    if x.dim() != 3:
        return 1, False
    return x.shape[0 if batch_first else 1], True


def read_input(
    name: str, value: Tensor | None, size: tuple[int, ...], x: Tensor, layout: Layout
) -> Tensor:
    """Return a further input as ``[T, B]`` or ``[T, B, size]``.

    Args:
        name: the input's name in the cell.
        value: what the caller gave, None for nothing.
        size: its shape at one step, without batch.
        x: the first input, ``[T, B, I]``.
        layout: how the first input lay.

    Raises:
        ShapeError: when it is missing or does not go with the first input.
    """
    axes = "[B, T" if layout.batch_first else "[T, B"
    words = axes if layout.batched else "[T"
    words += "".join(f", {n}" for n in size) + "]"
    if value is None:
        raise ShapeError(f"{layout.layer}: the cell needs {name}= of shape {words}")
    if not isinstance(value, Tensor):
        raise DtypeError(f"{layout.layer}: {name} is a {type(value).__name__}")
    check_dtype(layout.layer, name, value, x)
    right_axes = value.dim() == 1 + layout.batched + len(size)
    moved = layout.time_first(value) if right_axes else value
    if not right_axes or moved.shape != (*x.shape[:2], *size):
        raise ShapeError(
            f"{layout.layer}: {name} goes with the input, step by step\n"
            f"  expected  {name} {words} with T={x.shape[0]}, B={x.shape[1]}\n"
            f"  got       {name} {list(value.shape)}"
        )
    return moved


def read_states(
    hx: Tensor | Sequence[Tensor],
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    rows: int,
    x: Tensor,
    layout: Layout,
) -> list[Tensor]:
    """Return the given first states as ``[rows, B, ...]``, in declaration order.

    Args:
        hx: as the caller gave them.
        names: the cell's states.
        shapes: their shapes, without batch.
        rows: layers times directions.
        x: the input, ``[T, B, I]``.
        layout: how the input lay.

    Raises:
        ShapeError: naming the state, its expected shape and the one it has.
    """
    if not isinstance(hx, Tensor | Sequence):
        raise DtypeError(
            f"{layout.layer}: hx is a {type(hx).__name__}, not a tensor or a tuple"
        )
    given: list[Tensor] = [hx] if isinstance(hx, Tensor) else list(hx)
    listed = ", ".join(names)
    if len(given) != len(names) or (len(names) > 1 and isinstance(hx, Tensor)):
        what = "a tensor" if isinstance(hx, Tensor) else f"{len(given)} tensors"
        states = "state" if len(names) == 1 else "states"
        raise ShapeError(
            f"{layout.layer}: hx has the {states} {listed}, {len(names)} in all; "
            f"got {what}"
        )
    read: list[Tensor] = []
    for name, value, shape in zip(names, given, shapes, strict=True):
        if not isinstance(value, Tensor):
            raise DtypeError(f"{layout.layer}: {name} is a {type(value).__name__}")
        check_dtype(layout.layer, name, value, x)
        batch = (x.shape[1],) if layout.batched else ()
        expected = (rows, *batch, *shape)
        if tuple(value.shape) != expected:
            sizes = "".join(f", {n}" for n in shape)
            words = f"[layers*directions{', B' if batch else ''}{sizes}]"
            raise ShapeError(
                f"{layout.layer}: the state {name} is {words}, also with batch_first\n"
                f"  expected  {name} {list(expected)}\n"
                f"  got       {name} {list(value.shape)}"
            )
        read.append(value if layout.batched else value.unsqueeze(1))
    return read


def check_dtype(layer: str, name: str, value: Tensor, like: Tensor) -> None:
    """Raise DtypeError unless ``value`` has the dtype and the device of ``like``."""
    if value.dtype != like.dtype:
        raise DtypeError(
            f"{layer}: {name} is {_word(value.dtype)}, the layer {_word(like.dtype)}: "
            f"write {name}.to({like.dtype}), or layer.to({value.dtype})"
            if value.is_floating_point()
            else f"{layer}: {name} is {_word(value.dtype)}, the layer "
            f"{_word(like.dtype)}: write {name}.to({like.dtype})"
        )
    if value.device != like.device:
        raise DtypeError(
            f"{layer}: {name} is on {value.device}, the layer on {like.device}"
        )


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _reading(x: Tensor, layout: Layout) -> str:
    if not layout.batched:
        return ""
    batch, time = (0, 1) if layout.batch_first else (1, 0)
    return (
        f"\n  The batch is read as {x.shape[batch]} and time as {x.shape[time]}, "
        f"because batch_first={layout.batch_first}."
    )
