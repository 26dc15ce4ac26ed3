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

REPEAT_PARTS = ["repeat"]
"""The texts that say which library it is."""
TABLE = b"dlpack_exchange_api"
"""What DLPack calls a capsule of such a table."""

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
    """The functions of the library that work on Python's objects.

    Args:
        library: it, opened.
    """

    def __init__(self, library: ctypes.PyDLL):
        form, hold = library.cellwright_repeat_form, library.cellwright_repeat_hold
        self._hold, self._run = hold, library.cellwright_repeat_run
        self._hold.argtypes = [py_object]
        self._run.argtypes = [c_void_p, c_int64, py_object, py_object]
        form.restype = self._hold.restype = self._run.restype = py_object
        self.form: Callable[..., bytes | None] = form()

    def hold(self, tensors: Sequence[Tensor]) -> Hold:
        """Return a function that says whether others lie where these do.

        It has no reference to them. Others that lie there have their type, dtype, shape
        and strides, ask for a gradient if they do, and are negatives if they are.
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
    # With Python's lock: a CDLL would let go of it.
    own = ctypes.PyDLL(None, handle=library()._handle)
    return Repeats(own) if _is_opened(own, table()) else None


def table() -> int:
    """Return where torch's table of tensors lies; 0 where there is none."""
    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    asked = ctypes.PYFUNCTYPE(c_int, py_object, c_char_p)
    given = ctypes.PYFUNCTYPE(c_void_p, py_object, c_char_p)
    if not asked(("PyCapsule_IsValid", ctypes.pythonapi))(exchange, TABLE):
        return 0
    return given(("PyCapsule_GetPointer", ctypes.pythonapi))(exchange, TABLE) or 0


def _is_opened(own: ctypes.PyDLL, table: int) -> bool:
    """Hand over what the library needs; returns whether it can read the table."""
    if not table:
        return False
    needs, opens = own.cellwright_repeat_needs, own.cellwright_repeat_open
    needs.restype = c_char_p
    opens.argtypes = [c_void_p, c_void_p, py_object]
    addresses = array("q")
    while name := needs(len(addresses)):
        addresses.append(address_of(getattr(ctypes.pythonapi, name.decode())))
    known = Tensor, Parameter, Tensor.is_neg, Tensor.as_strided, MemoryError
    return bool(opens(addresses.buffer_info()[0], table, (*known, True, None)))


@lru_cache(maxsize=1)
def move() -> Callable[[int], int]:
    """Return what copies memory: its block is to where, from where, how many bytes."""
    function = library().cellwright_move
    function.argtypes, function.restype = [c_void_p], c_int
    return function


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Return the library, built if nobody has yet."""

    def text() -> str:
        return included("repeat.c", {})

    what = Description("any", "repeated calls", "any")
    return library_of(REPEAT_PARTS, what, text, best_level())
