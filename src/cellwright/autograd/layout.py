"""Where in one piece of memory all lies that a pass keeps for its backward part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from cellwright.backends.c.tape import side_by_side


class KeptArray(NamedTuple):
    """An array that is kept: of which layer, of which node, and its shape."""

    layer: int
    node: int
    shape: tuple[int, ...]


class Layout:
    """Where in one piece of memory all lies that is kept.

    Every tensor that a call allocates and keeps takes time, whatever its size.

    Args:
        layers: their number.
        places: of the arrays.
        size: bytes of a number.

    Attributes:
        lengths: numbers in it; none of a cell that keeps its output alone.
    """

    def __init__(self, layers: int, places: Sequence[KeptArray], size: int):
        self._layers, self._places = layers, places
        counts = [math.prod(each.shape) for each in places]
        self._starts, length = side_by_side(counts, size)
        self.lengths = [length] if places else []

    def cut(self, kept: Sequence[Tensor]) -> list[dict[int, Tensor]]:
        """Return the arrays of every layer, by their nodes.

        Args:
            kept: that memory, and maybe other tensors behind it.
        """
        arrays: list[dict[int, Tensor]] = [{} for _ in range(self._layers)]
        for start, (layer, node, shape) in zip(self._starts, self._places, strict=True):
            part = kept[0][start : start + math.prod(shape)]
            arrays[layer][node] = part.view(shape)
        return arrays
