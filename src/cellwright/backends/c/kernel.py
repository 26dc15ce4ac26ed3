"""One direction of a cell as a compiled function: tensors in, tensors filled."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cellwright.ir.sizes import Size

from . import cache, threads
from .levels import Level, best_level
from .sidecar import Description
from .slots import resolved
from .source import Source, outer_text
from .tape import Block, Tape
from .toolchain import find_compiler

DTYPES = {torch.float32: False, torch.float64: True}
"""What a kernel can be built for, and whether that is double."""


@dataclass(frozen=True)
class Lagging:
    """A state's value before every step: its first one, then what the steps made.

    Args:
        first: ``[B, H]``
        after: the values after every step, ``[T, B, H]``
        begin: the step that ``after`` begins with; one before those that are run.
    """

    first: Tensor
    after: Tensor
    begin: int = 0


@dataclass(frozen=True)
class Window:
    """Some steps of a sequence, which the others are not there beside.

    Args:
        values: ``[S, B, n]``, or ``[S, B]``
        begin: the step that they begin with.
    """

    values: Tensor
    begin: int


Given = Tensor | Lagging | Window


def steps_of(given: Tensor | Window, begin: int, end: int) -> Tensor:
    """Return the values of some steps."""
    if isinstance(given, Window):
        return given.values[begin - given.begin : end - given.begin]
    return given[begin:end]


class StreamFunctions(NamedTuple):
    """The functions of a forward kernel that takes one step at a time, see `stream.h`.

    Args:
        size: takes the address of a block of slots, and returns a number of bytes.
        open: takes that address, and the one of so much memory, like the rest.
        step: takes the latter.
        states: likewise.
    """

    size: Callable[[int], int]
    open: Callable[[int, int], None]
    step: Callable[[int], None]
    states: Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled direction of a cell, for one dtype."""

    run_function: Callable[[int], int]
    stream: StreamFunctions | None
    sizes: tuple[Size, ...]

    def lengths(self, sizes: Mapping[str, int]) -> list[int]:
        """Return the kernel's lengths at every named size."""
        return self._lengths_at(tuple(sizes.items()))

    @cached_property
    def _lengths_at(self) -> Callable[[tuple[tuple[str, int], ...]], list[int]]:
        own = self.sizes
        return lru_cache(maxsize=64)(lambda sizes: resolved(own, dict(sizes)))

    def run(self, tape: Tape, *what: Any) -> None:
        """Run some steps; outputs, last states and sums are filled in place.

        Args:
            tape: does it.
            *what: as for `block_of`.

        Raises:
            MemoryError: when there was none to work in.
        """
        tape.call(self.run_function, block_of(*what))


def block_of(
    sizes: Sequence[int],
    span: tuple[int, int, int],
    roots: Sequence[Tensor],
    inputs: Sequence[Given],
    states: Sequence[tuple[Tensor, Tensor]],
    outputs: Sequence[tuple[Tensor, int]],
    sums: Sequence[Tensor] = (),
) -> Block:
    """Return the slots that a kernel is called with.

    Args:
        sizes: the kernel's lengths.
        span: rows of the batch, the first step and the one behind the last.
        roots: weights and what is made of them, each laid out.
        inputs: ``[T, B, n]`` with entries side by side, or ``[T, B]``.
        states: first and last values, ``[B, n]``; the last lie side by side.
        outputs: ``[T, B, n]``, and the step that their first one is.
        sums: ``[n]``; what they hold is added to.
    """
    rows, begin, end = span
    block = Block()
    block.add(rows, begin, end, torch.get_num_threads(), *threads.team())
    for root in roots:
        block.point(root)
        strides = root.stride() if root.dim() > 1 else (0, 0)
        block.add(*(0,) * (3 - len(strides)), *strides)
    for given in inputs:
        _add_input(block, given)
    for first, last in states:
        block.point(first)
        block.add(first.stride(0))
        block.point(last)
    for output, at in outputs:
        _add_place(block, output, at - begin)
    for total in sums:
        block.point(total)
    block.add(*sizes)
    return block


def build(source: Source, parts: Sequence[str], what: Description) -> Kernel:
    """Return a kernel, built now or loaded from the cache.

    Args:
        source: its C.
        parts: the texts that say which kernel it is.
        what: the same, for people; its dtype is the kernel's.

    Raises:
        BuildError: when it cannot be built.
    """
    level = best_level()
    double = what.dtype == "float64"

    def text() -> str:
        return text_at(source, double, level)

    library = cache.library_of(parts, what, text, level)
    return kernel_of(library, source)


def kernel_of(library: ctypes.CDLL, source: Source, tail: str = "") -> Kernel:
    """Return a kernel of a library.

    Args:
        library: what it was built into.
        source: its C.
        tail: what the names of its functions end in.
    """

    def function(name: str, arguments: int, result: Any = None) -> Callable[..., Any]:
        found = library[f"cellwright_{name}{tail}"]
        found.argtypes = [ctypes.c_void_p] * arguments
        found.restype = result
        return found

    stream = None
    if not source.backwards:
        stream = StreamFunctions(
            function("stream_size", 1, ctypes.c_int64),
            function("stream_open", 2),
            function("stream_step", 1),
            function("stream_states", 1),
        )
    return Kernel(function("run", 1, ctypes.c_int), stream, source.sizes)


def is_kept(parts: Sequence[str]) -> bool:
    """Return whether a kernel was built before, see `build`."""
    compiler = find_compiler()
    return compiler is not None and cache.is_kept(parts, best_level(), compiler)


def outer_parts(dtype: torch.dtype) -> list[str]:
    """Return the texts that say which kernel of outer products it is."""
    return ["outer", str(dtype).removeprefix("torch.")]


@lru_cache(maxsize=len(DTYPES) * 4)
def outer_function(dtype: torch.dtype, level: Level) -> Callable[..., int]:
    """Return the kernel of all sums of outer products, built if nobody has yet."""

    def text() -> str:
        return outer_text(DTYPES[dtype], level.vector_bytes, level.accumulators)

    parts = outer_parts(dtype)
    what = Description("any", "sums of outer products", parts[-1])
    function = cache.library_of(parts, what, text, level).cellwright_run
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function


class OuterProducts(NamedTuple):
    """A sum of outer products over rows.

    Args:
        left: left sides, ``[N, m]``.
        right: right sides, ``[N, n]``, or ``[N - F, n]`` behind the first ones.
        total: what they are added to, ``[m, n]`` or ``[heads, m / heads, n / heads]``.
        heads: 1 for a plain matrix.
        first: the right sides of the first rows, ``[F, n]``, if they lie elsewhere.
    """

    left: Tensor
    right: Tensor
    total: Tensor
    heads: int = 1
    first: Tensor | None = None


def add_outer_products(
    tape: Tape, products: Sequence[OuterProducts], fresh: bool = False
) -> None:
    """Add sums of outer products over all rows to tensors.

    Args:
        tape: does it.
        products: at least one row each; no two add to one tensor, because pieces of
            work are done at the same time.
        fresh: whether there is nothing yet to add to.

    Raises:
        MemoryError: when there was none to work in.
    """
    if not products:
        return
    assert len({each.total.data_ptr() for each in products}) == len(products)
    block = Block()
    block.add(len(products), torch.get_num_threads(), *threads.team())
    for left, right, total, heads, first in products:
        for side in (left, right if first is None else first, right):
            block.point(side)
            block.add(side.stride(0))
        block.add(len(left), 0 if first is None else len(first))
        block.add(heads, left.shape[1] // heads, right.shape[1] // heads)
        block.point(total)
        block.add(int(fresh))
    tape.call(outer_function(products[0].left.dtype, best_level()), block)


def text_at(source: Source, double: bool, level: Level) -> str:
    """Return a kernel's C for a dtype and a level."""
    return source.text(double, level.vector_bytes, level.accumulators)


def _add_input(block: Block, given: Given) -> None:
    """Add where an input lies, and where its first value does, 0 for none."""
    if isinstance(given, Lagging):
        _add_place(block, given.after, given.begin)
        block.point(given.first)
        block.add(given.first.stride(0))
        return
    if isinstance(given, Window):
        _add_place(block, given.values, given.begin)
    else:
        _add_place(block, given, 0)
    block.add(0, 0)


def _add_place(block: Block, values: Tensor, begin: int) -> None:
    """Add where step 0 lies, or would lie, and the ways to the next step and row."""
    step, row, *_ = values.stride()
    block.point(values, -begin * step * values.element_size())
    block.add(step, row)
