"""A pass that was written down, done again for other tensors of the same forms."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from .repeat import Calls, Repeat, address_of, repeats

Maker = Callable[[], Tensor]
"""Makes a tensor of one form."""
Placed = Callable[[Sequence[Any]], Sequence[Any | None]]
"""Makes of results what is returned: some of them, or None, in any order."""
Sum = tuple[int, int]
"""Which two of the tensors before it are added up."""


@dataclass(frozen=True)
class Again:
    """A function that is called again.

    Args:
        function: takes the address of slots.
        slots: what they held.
        pointers: a slot that holds an address, the tensor that it points into, and how
            far behind that one's first entry.
    """

    function: Callable[[int], int]
    slots: array[int]
    pointers: Sequence[tuple[int, int, int]]


class Part(NamedTuple):
    """A result: a new tensor itself where there is no shape, or a view of it."""

    base: int
    shape: tuple[int, ...] | None
    stride: tuple[int, ...]
    offset: int


class Script:
    """What a pass did for tensors of some forms.

    Args:
        addresses: where the tensors that it was given lay, and behind these, where
            those lay that it made, and the sums ahead of its calls.
        makers: make tensors.
        calls: the functions that it called, and where addresses stand in their slots.
        ahead: sums ahead of the calls: of which two of all tensors before it.
        behind: sums behind the calls, likewise.
        parts: what it returned.
    """

    def __init__(
        self,
        addresses: Sequence[int],
        makers: Sequence[Maker],
        calls: Sequence[Again],
        ahead: Sequence[Sum],
        behind: Sequence[Sum],
        parts: Sequence[Part],
    ):
        self._makers, self._ahead, self._behind = makers, ahead, behind
        self._functions = [again.function for again in calls]
        self._parts = parts
        # For each tensor, where its address stands: in which call, at which slot.
        self._places: list[list[tuple[int, int, int]]] = [[] for _ in addresses]
        for call, again in enumerate(calls):
            for at, base, behind_it in again.pointers:
                self._places[base].append((call, at, behind_it))
        # Most addresses are those of the run before: weights stay where they are.
        self._filled = list(addresses), [again.slots for again in calls]

    def run(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Do it again, and return the results.

        Args:
            given: tensors of the same forms.

        Raises:
            MemoryError: when a function found none to work in.
        """
        bases = self._bases(given)
        addresses = [base.data_ptr() for base in bases]
        before, filled = self._filled
        if addresses != before:
            filled = [slots[:] for slots in filled]
            for old, new, places in zip(before, addresses, self._places, strict=True):
                if new != old:
                    for call, at, behind in places:
                        filled[call][at] = new + behind
            # What another thread is reading stays as it is.
            self._filled = addresses, filled
        return self._results(bases, filled)

    def resting(
        self,
        given: Sequence[Tensor],
        rests: slice,
        placed: Placed = tuple,
    ) -> Repeat | None:
        """Return what does it again while some tensors stay where they lie.

        What is returned takes all tensors, in a tuple; who calls it has seen that those
        stay. It is None where nothing does it in less time, see `repeats`.

        Args:
            given: tensors of the same forms.
            rests: where among them are those that stay.
            placed: makes of the results what is returned.
        """
        does = repeats()
        if does is None:
            return None
        before, filled = self._filled
        slots: list[int] = []
        begins: list[int] = []
        for each in filled:
            begins.append(len(slots))
            slots += each
        for base, old, places in zip(given, before, self._places, strict=False):
            for call, at, _ in places:
                slots[begins[call] + at] += base.data_ptr() - old
        bases = range(len(self._places))
        others = *bases[: rests.start], *bases[rests.stop :]
        return does.run(
            Calls(
                given=len(given),
                makers=self._makers,
                functions=[*zip(map(address_of, self._functions), begins, strict=True)],
                slots=slots,
                pointers=[
                    (begins[call] + at, base, behind)
                    for base in others
                    for call, at, behind in self._places[base]
                ],
                ahead=self._ahead,
                behind=self._behind,
                parts=[
                    (-1, None) if part is None else _told(part)
                    for part in placed(self._parts)
                ],
            )
        )

    def _bases(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors that it is given, those it makes, and sums of these."""
        bases = [*given, *[make() for make in self._makers]]
        for first, second in self._ahead:
            bases.append(bases[first] + bases[second])
        return bases

    def _results(
        self, bases: list[Tensor], filled: Sequence[array[int]]
    ) -> list[Tensor]:
        """Call all functions, and return what it returns."""
        for function, slots in zip(self._functions, filled, strict=True):
            call_with(function, slots)
        for first, second in self._behind:
            bases.append(bases[first] + bases[second])
        return [
            bases[base]
            if shape is None
            else bases[base].as_strided(shape, stride, offset)
            for base, shape, stride, offset in self._parts
        ]


def _told(part: Part) -> tuple[int, tuple[Any, ...] | None]:
    """Return a result as `Calls` has it."""
    return part.base, None if part.shape is None else tuple(part[1:])


def call_with(function: Callable[[int], int], slots: array[int]) -> None:
    """Call a compiled function with a block of slots.

    Raises:
        MemoryError: when it found none to work in.
    """
    if function(slots.buffer_info()[0]):
        raise MemoryError("a kernel found no memory to work in")
