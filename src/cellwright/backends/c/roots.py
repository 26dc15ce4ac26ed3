"""A call's weights: each by itself, or parts of tensors that hold several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

Place = tuple[int, int, int]
"""Which tensor, which part of it, and how many equal parts it has along its rows."""


def apart(sources: Sequence[Tensor], places: Sequence[Place]) -> list[Tensor]:
    """Return the parts of tensors at some places."""
    cut: dict[int, Sequence[Tensor]] = {}
    for which, _, of in places:
        if which not in cut:
            cut[which] = sources[which].chunk(of)
    return [cut[which][part] for which, part, _ in places]


class Roots(NamedTuple):
    """The roots of one call.

    Args:
        weights: the roots themselves, or tensors that they are parts of.
        places: of the roots in these, None where each comes by itself.
    """

    weights: Sequence[Tensor]
    places: Sequence[Place] | None = None

    def tensors(self) -> Sequence[Tensor]:
        """Return the roots."""
        return self.weights if self.places is None else apart(self.weights, self.places)
