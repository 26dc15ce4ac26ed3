"""What a pass over a sequence does, written down, to be done again for other tensors.

A pass looks at its tensors, allocates others, and calls compiled functions with blocks
of whole numbers. For tensors of the same forms all of that is the same but for the
addresses. So it is written on a tape while it happens for the first time, and after
that only the addresses are asked for: a small cell's call takes a third of the time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
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


_Maker = Callable[[Sequence[Tensor]], Tensor]


class _Call(NamedTuple):
    function: Callable[[int], int]
    block: Block


class _New(NamedTuple):
    """A tensor that a pass made.

    Args:
        tensor: it.
        zeros: whether its numbers are looked at before any are written to it.
        added: the two tensors that it is the sum of, if it is one.
        late: whether functions have to be called before it can be made.
    """

    tensor: Tensor
    zeros: bool = False
    added: tuple[Tensor, Tensor] | None = None
    late: bool = False


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
        return self._noted(_New(self._like.new_empty(tuple(shape))))

    def zeros(self, shape: Sequence[int]) -> Tensor:
        """Return zeros of a shape."""
        return self._noted(_New(self._like.new_zeros(tuple(shape)), zeros=True))

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the sum of two tensors."""
        late = any(
            new.late or new.added is None
            for new in self._new
            if new.tensor is a or new.tensor is b
        )
        return self._noted(_New(a + b, added=(a, b), late=late))

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

    def _noted(self, new: _New) -> Tensor:
        self._new.append(new)
        return new.tensor

    def script(
        self, given: Sequence[Tensor], results: Sequence[Tensor]
    ) -> Script | None:
        """Return how to do all of it again; None where it cannot be told.

        Args:
            given: the tensors that the pass was given.
            results: what it returned.
        """
        early = [new for new in self._new if not new.late]
        late = [new for new in self._new if new.late]
        bases = [*given, *(new.tensor for new in (*early, *late))]
        where = {_memory(tensor): i for i, tensor in enumerate(bases)}
        if len(where) < len(bases) or not all(where) or len(self._calls) > MOST_CALLS:
            # Of tensors in one memory nobody can tell which of them one points into.
            return None
        known = {id(base): i for i, base in enumerate(bases)}
        if any(id(each) not in known for new in self._new for each in new.added or ()):
            return None
        calls: list[_Again] = []
        for function, block in self._calls:
            pointers: list[tuple[int, int, int]] = []
            for at, tensor, offset in block.pointers:
                base = where.get(_memory(tensor))
                if base is None or base >= len(bases) - len(late):
                    # What was computed from the tensors would be old the next time.
                    return None
                behind = tensor.data_ptr() - bases[base].data_ptr() + offset
                pointers.append((at, base, behind))
            calls.append(_Again(function, array("q", block.slots), pointers))
        parts = [_part_of(result, bases, where, len(given)) for result in results]
        if any(part is None for part in parts):
            return None
        return Script(
            [base.data_ptr() for base in bases[: len(bases) - len(late)]],
            [_maker(new, known) for new in early],
            calls,
            [_maker(new, known) for new in late],
            [part for part in parts if part is not None],
        )


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
        addresses: where the tensors that it was given lay, and behind these, where
            those lay that it allocated.
        news: how what it allocated is made; each takes all tensors ahead of it.
        calls: the functions that it called, and where addresses stand in their slots.
        sums: how what was added up behind these is made, likewise.
        parts: what it returned.
    """

    def __init__(
        self,
        addresses: Sequence[int],
        news: Sequence[_Maker],
        calls: Sequence[_Again],
        sums: Sequence[_Maker],
        parts: Sequence[_Part],
    ):
        self._news, self._sums = news, sums
        self._functions = [again.function for again in calls]
        self._parts = parts
        # For each tensor, where its address stands: in which call, at which slot.
        self._places: list[list[tuple[int, int, int]]] = [[] for _ in addresses]
        for call, again in enumerate(calls):
            for at, base, behind in again.pointers:
                self._places[base].append((call, at, behind))
        # Most addresses are those of the run before: weights stay where they are.
        self._filled = list(addresses), [again.slots for again in calls]

    def run(self, given: Sequence[Tensor]) -> list[Tensor]:
        """Do it again, and return the results.

        Args:
            given: tensors of the same forms.

        Raises:
            MemoryError: when a function found none to work in.
        """
        bases = list(given)
        for make in self._news:
            bases.append(make(bases))
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
        for function, slots in zip(self._functions, filled, strict=True):
            call_with(function, slots)
        for make in self._sums:
            bases.append(make(bases))
        return [
            bases[base]
            if shape is None
            else bases[base].as_strided(shape, stride, offset)
            for base, shape, stride, offset in self._parts
        ]


def _maker(new: _New, known: Mapping[int, int]) -> _Maker:
    """Return how a tensor is made, from those ahead of it, with their places by id."""
    like, place = new.tensor, {"dtype": new.tensor.dtype, "device": new.tensor.device}
    shape, stride = tuple(like.shape), like.stride()
    if new.added is not None:
        first, second = (known[id(each)] for each in new.added)
        return lambda given: given[first] + given[second]
    if new.zeros:
        return lambda _: torch.zeros(shape, **place)
    # Of all ways to allocate this is the quickest.
    return lambda _: torch.empty_strided(shape, stride, **place)


class Scripts:
    """What passes did for tensors of forms that came before."""

    def __init__(self) -> None:
        self._known: dict[Any, Script | None] = {}
        self._seen: set[Any] = set()

    def again(self, key: Hashable, given: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """Return what `run` does where the pass is written down, else None."""
        script = self._known.get(_form_of_pass(key, given))
        return None if script is None else script.run(given)

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
        form = _form_of_pass(key, given)
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


def _form_of_pass(key: Hashable, given: Sequence[Tensor]) -> Hashable:
    return (key, torch.get_num_threads(), *threads.team(), *map(_form_of, given))


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
