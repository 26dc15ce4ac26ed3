"""What a repeated call does without Python: the functions of `repeat.c`.

Like a kernel it is built once and kept.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence
from ctypes import c_char_p, c_int, c_int64, c_void_p, py_object
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeGuard

from torch import Tensor
from torch.nn import Parameter

from .cache import library_of
from .levels import best_level
from .sidecar import Description
from .source import included

PARTS = ["repeat"]
"""The texts that say which library it is."""

Repeat = Callable[[tuple[Tensor, ...]], tuple[Any, ...]]
"""Does a pass again: takes what it takes, and returns what is asked of its results."""

Hold = Callable[[tuple[Tensor | None, ...]], TypeGuard[tuple[Tensor, ...]]]
"""Says whether tensors lie where others did."""


class Calls(NamedTuple):
    """A pass, in numbers and in what makes its tensors; a base is a tensor of it.

    Args:
        given: how many bases it is given.
        makers: of those behind them.
        functions: addresses, and where in `slots` begin those of each.
        slots: of all functions.
        pointers: a slot that an address goes to, its base, and how far behind.
        ahead: sums of two bases, ahead of the calls.
        behind: likewise, behind them.
        parts: of each result the base, and the shape, strides and offset of a view; -1
            is None.
    """

    given: int
    makers: Sequence[Callable[[], Tensor]]
    functions: Sequence[tuple[int, int]]
    slots: Sequence[int]
    pointers: Sequence[tuple[int, int, int]]
    ahead: Sequence[tuple[int, int]]
    behind: Sequence[tuple[int, int]]
    parts: Sequence[tuple[int, tuple[Any, ...] | None]]


class Repeats:
    """The functions of the library, with torch's table of tensors.

    Args:
        library: it.
        exchange: the table, as torch has it.
    """

    def __init__(self, library: ctypes.CDLL, exchange: object):
        # Its functions work on Python's objects, so they are called with Python's lock.
        own = ctypes.PyDLL(None, handle=library._handle)
        needs, opens = own.cellwright_repeat_needs, own.cellwright_repeat_open
        needs.restype = c_char_p
        opens.argtypes = [c_void_p, c_void_p, py_object]
        python, addresses = ctypes.pythonapi, array("q")
        while name := needs(len(addresses)):
            addresses.append(address_of(getattr(python, name.decode())))
        table = python.PyCapsule_GetPointer
        table.restype, table.argtypes = c_void_p, [py_object, c_char_p]
        known = Tensor, Parameter, Tensor.is_neg, Tensor.as_strided, MemoryError
        place = table(exchange, b"dlpack_exchange_api")
        self.is_open = bool(
            opens(addresses.buffer_info()[0], place, (*known, True, None))
        )
        self._hold, self._run = own.cellwright_repeat_hold, own.cellwright_repeat_run
        self._hold.argtypes = [py_object]
        self._run.argtypes = [c_void_p, c_int64, py_object, py_object]
        form = own.cellwright_repeat_form
        self._hold.restype = self._run.restype = form.restype = py_object
        self.form: Callable[..., bytes | None] = form()

    def hold(self, tensors: Sequence[Tensor]) -> Hold:
        """Return a function that says whether others lie where these do.

        It has no reference to them. Others that lie there have their type, ask for a
        gradient if they do, and have their dtype, shape and strides.
        """
        return self._hold(tuple(tensors))

    def run(self, calls: Calls) -> Repeat:
        """Return a function that does a pass again."""
        views = tuple(view for _, view in calls.parts if view is not None)
        parts = [(base, int(view is not None)) for base, view in calls.parts]
        # Those of one base side by side: it is asked for its address once.
        pointers = sorted(calls.pointers, key=lambda pointer: pointer[1])
        lists = calls.functions, pointers, calls.ahead, calls.behind, parts
        counts = [len(each) for each in lists]
        numbers = array("q", [calls.given, len(calls.makers), counts[0]])
        numbers.extend([len(calls.slots), *counts[1:]])
        numbers.extend(chain.from_iterable(calls.functions))
        numbers.extend(calls.slots)
        for each in lists[1:]:
            numbers.extend(chain.from_iterable(each))
        place, length = numbers.buffer_info()
        return self._run(place, length, tuple(calls.makers), views)


def address_of(function: Any) -> int:
    """Return where a compiled function lies."""
    return ctypes.cast(function, c_void_p).value or 0


@lru_cache(maxsize=1)
def repeats() -> Repeats | None:
    """Return the library's functions; None where torch has no table of its tensors.

    Torch has one since 2.10. Without it calls are as right, and take Python's time.
    """
    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    found = None if exchange is None else Repeats(_library(), exchange)
    return found if found and found.is_open else None


@lru_cache(maxsize=1)
def move() -> Callable[[int], int]:
    """Return what copies memory: its block is to where, from where, how many bytes."""
    function = _library().cellwright_move
    function.argtypes, function.restype = [c_void_p], c_int
    return function


def _library() -> ctypes.CDLL:
    def text() -> str:
        return included("repeat.c", {})

    what = Description("any", "repeated calls", "any")
    return library_of(PARTS, what, text, best_level())
