"""Take packed weights apart, and put their gradients together, without copies.

Torch's own `chunk` does the same, one function and one copy a piece: at small sizes
that takes longer than the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Place = tuple[int, int, int]
"""Which tensor, which part of it, and how many equal parts it has along its rows."""


class Unpack(torch.autograd.Function):
    """Parts of tensors, as they lie."""

    @staticmethod
    def forward(
        ctx: Any, places: Sequence[Place], *packed: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the parts at ``places`` of ``packed``."""
        ctx.places = places
        ctx.save_for_backward(*packed)
        return tuple(_part(packed[which], part, of) for which, part, of in places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the packed tensors."""
        packed = ctx.saved_tensors
        rows: list[dict[int, Tensor]] = [{} for _ in packed]
        for (which, part, _), gradient in zip(ctx.places, gradients, strict=True):
            if gradient is not None:
                known = rows[which].get(part)
                rows[which][part] = gradient if known is None else known + gradient
        parts = {which: of for which, _, of in ctx.places}
        whole = [_whole(row, parts[i], packed[i]) for i, row in enumerate(rows)]
        return (None, *whole)


def _part(tensor: Tensor, part: int, of: int) -> Tensor:
    each = tensor.shape[0] // of
    return tensor.narrow(0, part * each, each)


def _whole(row: dict[int, Tensor], parts: int, like: Tensor) -> Tensor | None:
    if not row:
        return None
    found = [row.get(part) for part in range(parts)]
    zeros = torch.zeros_like(_part(like, 0, parts))
    pieces = [zeros if piece is None else piece for piece in found]
    joined = None if torch.is_grad_enabled() else _side_by_side(pieces)
    return torch.cat(pieces) if joined is None else joined


def _side_by_side(pieces: Sequence[Tensor]) -> Tensor | None:
    """Return tensors that lie in memory one behind the other as one, else None."""
    first = pieces[0]
    step = first.numel() * first.element_size()
    memory = first.untyped_storage().data_ptr()
    for i, piece in enumerate(pieces):
        if (
            not piece.is_contiguous()
            or piece.untyped_storage().data_ptr() != memory
            or piece.data_ptr() != first.data_ptr() + i * step
        ):
            return None
    shape = (len(pieces) * first.shape[0], *first.shape[1:])
    return first.as_strided(shape, first.stride())
