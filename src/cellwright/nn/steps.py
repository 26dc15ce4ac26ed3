"""Read which steps of a sequence happen, and at which a new one begins."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cellwright.autograd import are_plain

from .errors import DtypeError, ShapeError
from .shapes import Layout

Lengths = Tensor | Sequence[int] | int

_MEANING = {
    "mask": "True where a step happens",
    "reset": "True where a new sequence begins",
}


def read_flags(name: str, value: object, x: Tensor, layout: Layout) -> Tensor:
    """Return a mask or resets as ``[T, B]``.

    Args:
        name: ``mask`` or ``reset``.
        value: what the caller gave.
        x: the input, ``[T, B, I]``.
        layout: how the input lay.

    Raises:
        DtypeError: when it is no tensor of bool on the layer's device.
        ShapeError: when it does not go with the input.
    """
    if not isinstance(value, Tensor):
        raise DtypeError(
            f"{layout.layer}: {name} is a {type(value).__name__}, not a Tensor"
        )
    if value.dtype != torch.bool:
        raise DtypeError(
            f"{layout.layer}: {name} is {_word(value)}; it is bool, "
            f"{_MEANING[name]}: write {name}.bool()"
        )
    _check_device(name, value, x, layout)
    right_axes = value.dim() == 1 + layout.batched
    moved = layout.time_first(value) if right_axes else value
    if not right_axes or moved.shape != x.shape[:2]:
        raise ShapeError(
            f"{layout.layer}: {name} goes with the input, step by step\n"
            f"  expected  {name} {_axes(layout)} with T={x.shape[0]}, B={x.shape[1]}\n"
            f"  got       {name} {list(value.shape)}"
        )
    return moved


def read_lengths(lengths: object, x: Tensor, layout: Layout) -> Tensor:
    """Return for every step and row whether it happens, ``[T, B]``.

    Args:
        lengths: what the caller gave: how many steps each row has; for an unbatched
            input one number. Nobody has fewer than 0 or more than T.
        x: the input, ``[T, B, I]``.
        layout: how the input lay.

    Raises:
        DtypeError: when they are not whole numbers.
        ShapeError: when there is not one for each row, or one is out of range.
    """
    counts = _whole_numbers(lengths, layout).to(x.device)
    if not layout.batched and counts.dim() == 0:
        counts = counts.unsqueeze(0)
    steps, rows = x.shape[:2]
    if counts.shape != (rows,):
        expected = f"[B] with B={rows}" if layout.batched else "one number"
        raise ShapeError(
            f"{layout.layer}: lengths says how many steps each row has\n"
            f"  expected  lengths {expected}\n"
            f"  got       lengths {list(counts.shape)}"
        )
    wrong = (counts < 0) | (counts > steps)
    rule = f"{layout.layer}: a length is from 0 to the number of steps"
    if not are_plain([counts]):
        # What traces knows no values yet, so the graph itself has to look.
        torch.ops.aten._assert_async.msg(~wrong.any(), rule)
    elif rows_wrong := wrong.nonzero().flatten().tolist():
        row = rows_wrong[0]
        raise ShapeError(
            f"{rule}\n"
            f"  expected  lengths from 0 to T={steps}\n"
            f"  got       lengths[{row}] = {int(counts[row])}"
        )
    return torch.arange(steps, device=x.device).unsqueeze(1) < counts


def at_steps(reset: Tensor, keep: Tensor) -> Tensor:
    """Return resets at steps that happen: each at the next one, if there is one.

    So a sequence may begin with a step that nobody measured, and what lies behind the
    last step of a row has no effect.

    Args:
        reset: where a new sequence begins, ``[T, B]``.
        keep: where a step happens, likewise.

    Example:
        >>> reset = torch.tensor([0, 1, 0, 0, 0, 1]).bool().unsqueeze(1)
        >>> keep = torch.tensor([1, 0, 0, 1, 1, 0]).bool().unsqueeze(1)
        >>> at_steps(reset, keep).int().flatten().tolist()
        [0, 0, 0, 1, 0, 0]
    """
    begun = reset.cumsum(0)
    # How many had begun at the last step that happened before this one.
    known = torch.where(keep, begun, 0).cummax(0).values.roll(1, 0)
    known[0] = 0
    return keep & (begun > known)


def seen_backwards(reset: Tensor, keep: Tensor | None) -> Tensor:
    """Return resets for a run from the end: a sequence's last step is its first.

    That is the last step that happens before the one at which the next sequence begins.

    Args:
        reset: where a new sequence begins, ``[T, B]``, at steps that happen.
        keep: where a step happens, likewise; everywhere if it is None.
    """
    first_step = reset.new_zeros(1, *reset.shape[1:])
    flipped = torch.cat([reset[1:], first_step]).flip(0)
    return flipped if keep is None else at_steps(flipped, keep.flip(0))


def _whole_numbers(lengths: object, layout: Layout) -> Tensor:
    if isinstance(lengths, Tensor):
        kind = lengths.dtype
        if kind.is_floating_point or kind.is_complex or kind == torch.bool:
            fix = "mask= takes bool" if kind == torch.bool else "write lengths.long()"
            raise DtypeError(
                f"{layout.layer}: lengths is {_word(lengths)}; it counts steps: {fix}"
            )
        return lengths
    if isinstance(lengths, int):
        return torch.tensor(_whole_number(lengths, layout))
    if not isinstance(lengths, Sequence) or isinstance(lengths, str):
        raise DtypeError(
            f"{layout.layer}: lengths is a {type(lengths).__name__}, not a tensor or a "
            "list of whole numbers"
        )
    counts = [_whole_number(value, layout) for value in lengths]
    return torch.tensor(counts, dtype=torch.int64)


def _whole_number(value: Any, layout: Layout) -> int:
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise DtypeError(f"{layout.layer}: lengths has {value!r}, which is no whole number")


def _check_device(name: str, value: Tensor, x: Tensor, layout: Layout) -> None:
    if value.device != x.device:
        raise DtypeError(
            f"{layout.layer}: {name} is on {value.device}, the input on {x.device}"
        )


def _axes(layout: Layout) -> str:
    if not layout.batched:
        return "[T]"
    return "[B, T]" if layout.batch_first else "[T, B]"


def _word(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
