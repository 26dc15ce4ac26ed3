"""What a kernel is handed: it reads memory by its address and asks no questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import TensorError


@dataclass(frozen=True)
class Expected:
    """A tensor of a cell.

    Args:
        name: in the cell.
        shape: without the axes of steps and rows.
    """

    name: str
    shape: tuple[int, ...]


def admit(
    values: Sequence[Tensor],
    expected: Sequence[Expected],
    lead: tuple[int, ...],
    dtype: torch.dtype,
) -> None:
    """Make sure that tensors are what a kernel takes them for.

    A layer checks what it is called with. Its weights anybody may have replaced: by
    `functional_call`, a conversion that stopped half-way, or pruning.

    Args:
        values: the tensors.
        expected: what each of them is.
        lead: their axes of steps and rows.
        dtype: of all of them.

    Raises:
        TensorError: for one of another dtype, shape, device or layout.
    """
    for value, one in zip(values, expected, strict=True):
        if (
            value.dtype is dtype
            and value.shape == (*lead, *one.shape)
            and value.device.type == "cpu"
            and value.layout is torch.strided
        ):
            continue
        found = f"{value.dtype} {list(value.shape)} on {value.device}"
        if value.layout is not torch.strided:
            found += f", {value.layout}"
        raise TensorError(
            f"{one.name}: a kernel takes {dtype} {[*lead, *one.shape]} on cpu; found "
            f"{found}\n  fix: give all tensors of a layer its dtype, device and shapes"
        )


def plain(value: Tensor) -> Tensor:
    """Return a tensor whose memory holds its numbers.

    The imaginary part of a conjugate is the negative of what is stored, and a gradient
    that torch knows to be zero may have no memory at all.
    """
    if value.is_neg():
        return value.resolve_neg()
    return value.new_zeros(value.shape) if value._is_zerotensor() else value


def flat(value: Tensor) -> Tensor:
    """Return a tensor whose last axis lies side by side, as kernels read it.

    A scalar's ``[T, B]`` needs no such axis. The gradient of a sum or a mean is one
    number in all places; as many as a row has are written down, not all of them.
    """
    value = plain(value)
    if value.dim() == 0 or value.shape[-1] <= 1 or value.stride(-1) == 1:
        return value
    if value.numel() and not any(value.stride()):
        row = value[(0,) * (value.dim() - 1)].contiguous()
        return row.expand(value.shape)
    return value.contiguous()


def laid_out(roots: Sequence[Tensor]) -> list[Tensor]:
    """Return roots as kernels read them: a filled vector has its entries nowhere."""
    return [plain(root) if root.dim() > 1 else flat(root) for root in roots]
