"""Where tensors lie, and whether others lie there now."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cellwright.backends.c.repeat import Repeats


class Places:
    """Where some tensors lay.

    It has no reference to a tensor, not even a weak one: torch swaps no tensor that has
    such, and whoever holds it may hold the layer that it belongs to. Another one that
    lies there in the same way is as good. It holds their memory, also if they go or
    move away meanwhile.

    Args:
        does: what looks at tensors.
        tensors: in memory of the processor.

    Attributes:
        hold: whether each of as many tensors, in a tuple, lies where the one in its
            place did, see `Repeats.hold`; None is none.
    """

    def __init__(self, does: Repeats, tensors: Sequence[Tensor]):
        self._there = [tensor.detach() for tensor in tensors]
        self.hold = does.hold(tensors)

    def are_of(self, tensors: tuple[Tensor, ...]) -> bool:
        """Whether the tensors that they are of have stayed there up to now.

        Another thread may move one while it is noted where it lies.
        """
        there = all(map(Tensor.is_set_to, tensors, self._there))
        return there and self.hold(tensors)
