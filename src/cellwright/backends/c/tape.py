"""What a pass over a sequence does, written down, to be done again for other tensors.

A pass looks at its tensors, allocates others, and calls compiled functions with blocks
of whole numbers. For tensors of the same forms all of that is the same but for the
addresses. So it is written on a tape while it happens for the first time, and after
that only the addresses are asked for: a small cell's call takes a third of the time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from ctypes import c_int64, memmove
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import threads

MOST_CALLS = 64
"""A pass of more calls is no matter of microseconds, and would take memory to keep."""
MOST_FORMS = 256
"""How many are remembered: sequences of every length and layers of every size share a
kernel."""


class Pointer(NamedTuple):
    """An address in a block.

    Args:
        at: its slot.
        tensor: what it points into.
        offset: how far behind the tensor's first entry, in bytes.
    """

    at: int
    tensor: Tensor
    offset: int


class Block:
    """A block of slots, and which of them are addresses."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.pointers: list[Pointer] = []

    def add(self, *numbers: int) -> None:
        """Add numbers that hang on the forms of tensors alone."""
        self.slots += numbers

    def point(self, tensor: Tensor, offset: int = 0) -> None:
        """Add the address of a tensor, or so many bytes behind it."""
        self.pointers.append(Pointer(len(self.slots), tensor, offset))
        self.slots.append(tensor.data_ptr() + offset)


class _Call(NamedTuple):
    function: Callable[[int], int]
    block: Block


class _New(NamedTuple):
    tensor: Tensor
    zeros: bool


class Tape:
    """Does what a pass asks for, and writes it down.

    Args:
        like: has the dtype and the device of what is allocated.
    """

    def __init__(self, like: Tensor):
        self._like = like
        self._new: list[_New] = []
        self._calls: list[_Call] = []

    def empty(self, shape: Sequence[int]) -> Tensor:
        """Return memory of a shape."""
        return self._noted(self._like.new_empty(tuple(shape)), False)

    def zeros(self, shape: Sequence[int]) -> Tensor:
        """Return zeros of a shape."""
        return self._noted(self._like.new_zeros(tuple(shape)), True)

    def call(self, function: Callable[[int], int], block: Block) -> None:
        """Call a compiled function.

        Raises:
            MemoryError: when it found none to work in.
        """
        call_with(function, array("q", block.slots))
        self._calls.append(_Call(function, block))

    def move(self, to: Tensor, what: Tensor) -> None:
        """Copy a tensor to where another one lies, whose numbers lie in a row.

        If those of the copied one do not, the pass cannot be done again.
        """
        block = Block()
        block.point(to)
        block.point(what.contiguous())
        block.add(to.numel() * to.element_size())
        self.call(_move, block)

    def _noted(self, tensor: Tensor, zeros: bool) -> Tensor:
        self._new.append(_New(tensor, zeros))
        return tensor

    def script(
        self, given: Sequence[Tensor], results: Sequence[Tensor]
    ) -> Script | None:
        """Return how to do all of it again; None where it cannot be told.

        Args:
            given: the tensors that the pass was given.
            results: what it returned.
        """
        bases = [*given, *(new.tensor for new in self._new)]
        where = {_memory(tensor): i for i, tensor in enumerate(bases)}
        if len(where) < len(bases) or not all(where) or len(self._calls) > MOST_CALLS:
            # Of tensors in one memory nobody can tell which of them one points into.
            return None
        calls: list[_Again] = []
        for function, block in self._calls:
            pointers: list[tuple[int, int, int]] = []
            for at, tensor, offset in block.pointers:
                base = where.get(_memory(tensor))
                if base is None:
                    # What was computed from the tensors would be old the next time.
                    return None
                behind = tensor.data_ptr() - bases[base].data_ptr() + offset
                pointers.append((at, base, behind))
            calls.append(_Again(function, array("q", block.slots), pointers))
        parts = [_part_of(result, bases, where, len(given)) for result in results]
        if any(part is None for part in parts):
            return None
        news = [(tuple(new.tensor.shape), new.zeros) for new in self._new]
        return Script(news, calls, [part for part in parts if part is not None])


@dataclass(frozen=True)
class _Again:
    function: Callable[[int], int]
    slots: array[int]
    pointers: Sequence[tuple[int, int, int]]


class _Part(NamedTuple):
    """A result: a new tensor itself where there is no shape, or a view of it."""

    base: int
    shape: tuple[int, ...] | None
    stride: tuple[int, ...]
    offset: int


class Script:
    """What a pass did for tensors of some forms.

    Args:
        news: shapes of what it allocated, behind what it was given, and whether it is
            zeros.
        calls: the functions that it called, and where addresses stand in their slots.
        parts: what it returned.
    """

    def __init__(
        self,
        news: Sequence[tuple[tuple[int, ...], bool]],
        calls: Sequence[_Again],
        parts: Sequence[_Part],
    ):
        self._news = news
        self._calls = calls
        self._parts = parts

    def run(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Do it again, and return the results.

        Args:
            given: tensors of the same forms.

        Raises:
            MemoryError: when a function found none to work in.
        """
        like = given[0]
        bases = list(given)
        for shape, zeros in self._news:
            bases.append(like.new_zeros(shape) if zeros else like.new_empty(shape))
        addresses = [base.data_ptr() for base in bases]
        for again in self._calls:
            slots = again.slots[:]
            for at, base, offset in again.pointers:
                slots[at] = addresses[base] + offset
            call_with(again.function, slots)
        return [
            bases[base]
            if shape is None
            else bases[base].as_strided(shape, stride, offset)
            for base, shape, stride, offset in self._parts
        ]


class Scripts:
    """What passes did for tensors of forms that came before."""

    def __init__(self) -> None:
        self._known: dict[Any, Script | None] = {}
        self._seen: set[Any] = set()

    def run(
        self,
        key: Hashable,
        given: Sequence[Tensor],
        run: Callable[[Tape], Sequence[Tensor]],
    ) -> Sequence[Tensor]:
        """Return what a pass returns, by its script where there is one.

        A form is written down when it comes for the second time: some never do.

        Args:
            key: which pass it is, with all that it hangs on but the tensors.
            given: all tensors that it reads; the first has the dtype of all.
            run: the pass.
        """
        form = (key, torch.get_num_threads(), *threads.team(), *map(_form_of, given))
        script = self._known.get(form)
        if script is not None:
            return script.run(given)
        tape = Tape(given[0])
        results = run(tape)
        if form in self._seen:
            if form not in self._known:
                self._known[form] = tape.script(given, results)
        else:
            if len(self._seen) >= MOST_FORMS:
                self._seen.clear()
                self._known.clear()
            self._seen.add(form)
        return results


def _form_of(tensor: Tensor) -> tuple[Any, ...]:
    """Return all that decides whether and how a kernel reads a tensor."""
    if tensor.layout is not torch.strided:
        return (tensor.layout,)
    odd = tensor.is_neg() or tensor._is_zerotensor()
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, odd


def call_with(function: Callable[[int], int], slots: array[int]) -> None:
    """Call a compiled function with a block of slots.

    Raises:
        MemoryError: when it found none to work in.
    """
    if function(slots.buffer_info()[0]):
        raise MemoryError("a kernel found no memory to work in")


def _move(address: int) -> int:
    """Copy memory, as a block says: to where, from where, how many bytes."""
    memmove(*(c_int64 * 3).from_address(address))
    return 0


def _memory(tensor: Tensor) -> int:
    """Return where a tensor's memory begins, 0 where it has none."""
    return tensor.untyped_storage().data_ptr()


def _part_of(
    result: Tensor, bases: Sequence[Tensor], where: dict[int, int], given: int
) -> _Part | None:
    base = where.get(_memory(result))
    if base is None or base < given:
        return None
    if result is bases[base]:
        return _Part(base, None, (), 0)
    # A new tensor begins where its memory does, in this run and in all others.
    behind = int(result.storage_offset())
    return _Part(base, tuple(result.shape), result.stride(), behind)
