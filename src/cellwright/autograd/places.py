"""Where tensors lie, and whether others lie there now."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TypeGuard

from torch import Tensor

_form = attrgetter("layout", "dtype", "requires_grad")


class Places:
    """Where some tensors lay.

    It has no reference to a tensor, not even a weak one: torch swaps no tensor that has
    such, and whoever holds it may hold the layer that it belongs to. Another one that
    lies there in the same way is as good. It holds their memory, also if they go or
    move away meanwhile.

    Args:
        tensors: in memory of the processor.
    """

    def __init__(self, tensors: Sequence[Tensor]):
        self._kinds = [*map(type, tensors)]
        self._forms = [*map(_form, tensors)]
        # Memory may be changed below a tensor, so where it begins is looked at too.
        self._addresses = [*map(Tensor.data_ptr, tensors)]
        self._there = [tensor.detach() for tensor in tensors]

    def __len__(self) -> int:
        return len(self._kinds)

    def hold(self, now: Sequence[Tensor | None]) -> TypeGuard[Sequence[Tensor]]:
        """Whether each of these lies where the one in its place did.

        It is asked at every call, so each question goes to all of them at once.

        Args:
            now: as many, None for one that is gone.
        """
        return (
            [*map(type, now)] == self._kinds
            and [*map(_form, now)] == self._forms
            and [*map(Tensor.data_ptr, now)] == self._addresses  # pyright: ignore[reportArgumentType]
            and all(map(Tensor.is_set_to, now, self._there))  # pyright: ignore[reportArgumentType]
        )
