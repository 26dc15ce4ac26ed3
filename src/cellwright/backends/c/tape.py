"""What a pass over a sequence does, written down, to be done again for other tensors.

A pass looks at its tensors, allocates others, and calls compiled functions with blocks
of whole numbers. For tensors of the same forms all of that is the same but for the
addresses. So it is written on a tape while it happens for the first time, and after
that only the addresses are asked for: a small cell's call takes a third of the time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import regions, threads
from .repeat import Repeat, move
from .script import Again, Maker, Part, Placed, Script, call_with

MOST_CALLS = 64
"""A pass of more calls is no matter of microseconds, and would take memory to keep."""
MOST_FORMS = 256
"""How many are remembered: sequences of every length and layers of every size share a
kernel."""
LINE = 64
"""Bytes on whose multiples arrays in one piece of memory begin."""


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
    """A tensor that a pass made.

    Args:
        tensor: it.
        zeros: whether its numbers are looked at before any are written to it.
        fixed: whether none ever is.
        hidden: whether no caller ever sees it.
        added: the two tensors that it is the sum of, if it is one.
        late: whether functions have to be called before it can be made.
    """

    tensor: Tensor
    zeros: bool = False
    fixed: bool = False
    hidden: bool = False
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

    def hidden(self, shape: Sequence[int]) -> Tensor:
        """Return memory that no caller sees, but other passes may."""
        return self._noted(_New(regions.empty(self._like, shape), hidden=True))

    def zeros(self, shape: Sequence[int]) -> Tensor:
        """Return zeros of a shape."""
        return self._noted(_New(self._like.new_zeros(tuple(shape)), zeros=True))

    def fixed_zeros(self, shape: Sequence[int]) -> Tensor:
        """Return zeros that nobody writes to, nor hands out."""
        return self._noted(_New(self._like.new_zeros(tuple(shape)), fixed=True))

    def hold(self, tensor: Tensor) -> Tensor:
        """Return a tensor that is the same whenever the pass is done again."""
        if all(new.tensor is not tensor for new in self._new):
            self._noted(_New(tensor, fixed=True))
        return tensor

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
        self.call(move(), block)

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
        news = self._needed(results)
        scratch, length = self._scratch(news, results)
        made = [n for n in news if not n.added and _memory(n.tensor) not in scratch]
        if length:
            made.append(_New(regions.empty(self._like, (length,)), hidden=True))
        early = [new for new in news if new.added and not new.late]
        late = [new for new in news if new.late]
        bases = [*given, *(new.tensor for new in (*made, *early, *late))]
        known = {id(base): i for i, base in enumerate(bases)}
        # For every piece of memory the base that it is part of, and that one's address.
        where = {_memory(base): (i, base.data_ptr()) for i, base in enumerate(bases)}
        arena = len(given) + len(made) - 1
        where |= {memory: (arena, memory - at) for memory, at in scratch.items()}
        fixed = {_memory(new.tensor) for new in news if new.fixed}
        if (
            len(self._calls) > MOST_CALLS
            # Of tensors in one memory nobody can tell which of them one points into.
            or len(where) < len(bases) + len(scratch)
            or not all(where)
            or any(id(each) not in known for new in news for each in new.added or ())
            or any(_memory(result) in fixed for result in results)
        ):
            return None
        # No call may read a sum that is made behind all calls.
        calls = _again(self._calls, where, len(bases) - len(late))
        parts = [_part_of(result, bases, where, len(given)) for result in results]
        if calls is None or any(part is None for part in parts):
            return None
        addresses = [base.data_ptr() for base in bases[: len(bases) - len(late)]]
        if length:
            # Its parts lay elsewhere when the slots were filled.
            addresses[arena] = 0
        ahead, behind = (
            [(known[id(n.added[0])], known[id(n.added[1])]) for n in sums if n.added]
            for sums in (early, late)
        )
        known_parts = [part for part in parts if part is not None]
        makers = [_maker(new) for new in made]
        return Script(addresses, makers, calls, ahead, behind, known_parts)

    def _needed(self, results: Sequence[Tensor]) -> list[_New]:
        """Return the tensors that somebody reads; a result as it is returned."""
        read = {_memory(result) for result in results}
        read |= {_memory(p.tensor) for call in self._calls for p in call.block.pointers}
        found: list[_New] = []
        added: set[int] = set()
        for new in reversed(self._new):
            if _memory(new.tensor) not in read:
                continue
            read |= {_memory(each) for each in new.added or ()}
            added |= {id(each) for each in new.added or ()}
            views = [r for r in results if _memory(r) == _memory(new.tensor)]
            whole = len(views) == 1 and views[0].numel() == new.tensor.numel()
            is_read = new.added or id(new.tensor) in added
            if whole and views[0].is_contiguous() and not is_read:
                new = new._replace(tensor=views[0])
            found.insert(0, new)
        return found

    def _scratch(
        self, news: Sequence[_New], results: Sequence[Tensor]
    ) -> tuple[dict[int, int], int]:
        """Return where arrays that nobody sees may lie in one, and its entries.

        Args:
            news: the tensors that are made.
            results: of the pass.

        Returns:
            By the memory of each, how many bytes from the beginning.
        """
        seen = {_memory(result) for result in results}
        seen |= {_memory(each) for new in news for each in new.added or ()}
        size = self._like.element_size()
        counts = {
            _memory(new.tensor): new.tensor.numel()
            for new in news
            if not (new.zeros or new.fixed or new.added)
            and _memory(new.tensor) not in seen
        }
        starts, length = side_by_side(counts.values(), size)
        return dict(zip(counts, (size * at for at in starts), strict=True)), length


def side_by_side(counts: Iterable[int], size: int) -> tuple[list[int], int]:
    """Return where arrays begin in one piece of memory, and its length, in numbers.

    Args:
        counts: of the numbers of each.
        size: bytes of a number.

    Example:
        >>> side_by_side([3, 17, 16], 4)
        ([0, 16, 48], 64)
    """
    line = LINE // size
    ends = accumulate((-(-count // line) * line for count in counts), initial=0)
    *starts, end = ends
    return starts, end


def _again(
    calls: Sequence[_Call], where: Mapping[int, tuple[int, int]], ahead: int
) -> list[Again] | None:
    """Return how to call functions again; None where an address cannot be told.

    Args:
        calls: as they were.
        where: by its memory, which tensor another is part of, and that one's address.
        ahead: the number of tensors that are there when functions are called.
    """
    found: list[Again] = []
    for function, block in calls:
        pointers: list[tuple[int, int, int]] = []
        for at, tensor, offset in block.pointers:
            base, begin = where.get(_memory(tensor), (ahead, 0))
            if base >= ahead:
                return None
            pointers.append((at, base, tensor.data_ptr() + offset - begin))
        found.append(Again(function, array("q", block.slots), pointers))
    return found


def _maker(new: _New) -> Maker:
    """Return what makes such a tensor again."""
    like, none = new.tensor, new.tensor.new_empty(0)
    shape = tuple(like.shape)
    if new.fixed:
        return lambda: like
    if new.zeros:
        return partial(torch.zeros, shape, dtype=like.dtype, device=like.device)
    if new.hidden and regions.has(like, shape):
        return partial(regions.empty, none, shape)
    # Of all ways to allocate this is the quickest.
    return partial(none.new_empty_strided, shape, like.stride())


class Scripts:
    """What passes did for tensors of forms that came before."""

    def __init__(self) -> None:
        self._known: dict[Any, Script | None] = {}
        self._seen: set[Any] = set()

    def again(self, key: Hashable, given: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """Return what `run` does where the pass is written down, else None."""
        script = self._known.get(_form_of_pass(key, given))
        return None if script is None else script.run(given)

    def resting(
        self,
        key: Hashable,
        given: Sequence[Tensor],
        rests: slice,
        placed: Placed = tuple,
    ) -> Repeat | None:
        """Return `Script.resting` of a pass, None where it is not written down."""
        script = self._known.get(_form_of_pass(key, given))
        return None if script is None else script.resting(given, rests, placed)

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
    return (key, *team_of(), *map(form_of, given))


def team_of() -> tuple[int, ...]:
    """Return the threads that kernels would run in now."""
    return torch.get_num_threads(), *threads.team()


def form_of(tensor: Tensor) -> tuple[Any, ...]:
    """Return all that decides whether and how a kernel reads a tensor."""
    if tensor.layout is not torch.strided:
        return (tensor.layout,)
    odd = tensor.is_neg() or tensor._is_zerotensor()
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, odd


def _memory(tensor: Tensor) -> int:
    """Return where a tensor's memory begins, 0 where it has none."""
    return tensor.untyped_storage().data_ptr()


def _part_of(
    result: Tensor,
    bases: Sequence[Tensor],
    where: Mapping[int, tuple[int, int]],
    given: int,
) -> Part | None:
    base, _ = where.get(_memory(result), (-1, 0))
    if base < given:
        return None
    if result is bases[base]:
        return Part(base, None, (), 0)
    # A new tensor begins where its memory does, in this run and in all others.
    behind = int(result.storage_offset())
    return Part(base, tuple(result.shape), result.stride(), behind)
