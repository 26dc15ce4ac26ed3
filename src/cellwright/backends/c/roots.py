"""A call's weights as kernels read them: by their addresses, which mostly stay.

An optimiser changes weights where they lie. So what a kernel is told of them, after all
has been looked at, is told again as long as they have not moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .admit import laid_out
from .slots import ROOT

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


MOST_FORMS = 16
"""How many forms are remembered: layers of all sizes share a kernel."""


class _Told(NamedTuple):
    """What a kernel was told of weights of some form.

    Args:
        slots: in their order.
        pointers: the slots that are addresses: of which weight, and how far behind it.
    """

    slots: list[int]
    pointers: list[tuple[int, int, int]]


class RootMemory:
    """What a kernel was told of its roots, but for their addresses."""

    def __init__(self) -> None:
        self._told: dict[Any, _Told] = {}

    def slots(
        self,
        roots: Roots,
        sizes: Mapping[str, int],
        read: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    ) -> tuple[list[int], Sequence[Tensor]]:
        """Return the slots, and tensors to hold as long as they are used.

        Args:
            roots: of the call.
            sizes: every named size.
            read: returns what the kernel reads of them, after a look at each.
        """
        weights = roots.weights
        key = (roots.places, *sizes.items(), *map(_form_of, weights))
        told = self._told.get(key)
        if told is not None:
            slots = told.slots.copy()
            addresses = [weight.data_ptr() for weight in weights]
            for at, which, offset in told.pointers:
                slots[at] = addresses[which] + offset
            return slots, weights
        tensors = laid_out(read(roots.tensors()))
        slots = [number for tensor in tensors for number in _slots_of(tensor)]
        pointers = _pointers_among(weights, tensors)
        if pointers is not None:
            if len(self._told) >= MOST_FORMS:
                self._told.clear()
            self._told[key] = _Told(slots, pointers)
        return slots, tensors


def _form_of(weight: Tensor) -> tuple[Any, ...]:
    """Return all that decides whether and how a kernel reads a tensor."""
    if weight.layout is not torch.strided:
        return (weight.layout,)
    odd = weight.is_neg() or weight._is_zerotensor()
    return weight.shape, weight.stride(), weight.dtype, weight.device, odd


def _pointers_among(
    weights: Sequence[Tensor], tensors: Sequence[Tensor]
) -> list[tuple[int, int, int]] | None:
    """Return where tensors lie behind weights; None if they are no parts of these.

    What was computed from weights would be old the next time. And of weights in one
    memory nobody can tell which of them a tensor is a part of.
    """
    memories = [_memory(weight) for weight in weights]
    if len(set(memories)) < len(memories):
        return None
    found: list[tuple[int, int, int]] = []
    for i, tensor in enumerate(tensors):
        if _memory(tensor) not in memories:
            return None
        which = memories.index(_memory(tensor))
        found.append((i * ROOT, which, tensor.data_ptr() - weights[which].data_ptr()))
    return found


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _slots_of(root: Tensor) -> tuple[int, ...]:
    match root.dim():
        case 3:
            return (root.data_ptr(), *root.stride())
        case 2:
            return (root.data_ptr(), 0, *root.stride())
        case _:
            return (root.data_ptr(), 0, 0, 0)
