"""Weights that lie side by side in a few tensors, as torch.nn packs them.

A kernel reads a part of a tensor where it lies, so a layer hands the whole ones over:
taking each of them apart by torch's own functions, and putting the gradients together
again, takes longer than a small cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from cellwright.backends.c.roots import Place, apart
from cellwright.backends.c.tape import Tape


class Packed(Mapping[str, Tensor]):
    """A cell's parameters by name: views of packed tensors, taken when they are read.

    Args:
        sources: the packed tensors.
        places: where among them each parameter lies.

    Example:
        >>> weights = Packed([torch.arange(6.0)], {"a": (0, 0, 2), "b": (0, 1, 2)})
        >>> weights["b"]
        tensor([3., 4., 5.])
    """

    def __init__(self, sources: Sequence[Tensor], places: Mapping[str, Place]):
        self.sources = sources
        self.places = places

    @cached_property
    def _views(self) -> dict[str, Tensor]:
        views = apart(self.sources, list(self.places.values()))
        return dict(zip(self.places, views, strict=True))

    def __getitem__(self, name: str) -> Tensor:
        """Return a parameter."""
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.places)

    def __len__(self) -> int:
        """Return how many parameters there are."""
        return len(self.places)


def together(
    gradients: Sequence[Tensor | None],
    places: Sequence[Place],
    sources: Sequence[Tensor],
    tape: Tape | None = None,
) -> list[Tensor]:
    """Return the gradients of packed tensors from those of their parts.

    Args:
        gradients: of the parts.
        places: of the parts.
        sources: the packed tensors.
        tape: puts them together; None where something traces, which sees torch's
            operations only.
    """
    counts = {which: of for which, _, of in places}
    found: list[list[Tensor | None]] = [[None] * counts[i] for i in range(len(sources))]
    for (which, part, _), gradient in zip(places, gradients, strict=True):
        found[which][part] = gradient
    if tape is None:
        return [torch.cat(_pieces(*pair)) for pair in zip(found, sources, strict=True)]
    return [_whole(tape, *pair) for pair in zip(found, sources, strict=True)]


def _pieces(found: Sequence[Tensor | None], like: Tensor) -> list[Tensor]:
    each = like.shape[0] // len(found)
    zeros = like.new_zeros((each, *like.shape[1:]))
    return [zeros if piece is None else piece for piece in found]


def _whole(tape: Tape, found: Sequence[Tensor | None], like: Tensor) -> Tensor:
    pieces = [piece for piece in found if piece is not None]
    if len(pieces) == len(found):
        joined = _side_by_side(pieces)
        if joined is not None:
            return joined
    whole = (tape.empty if len(pieces) == len(found) else tape.zeros)(like.shape)
    for to, piece in zip(whole.chunk(len(found)), found, strict=True):
        if piece is not None:
            tape.move(to, piece)
    return whole


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
