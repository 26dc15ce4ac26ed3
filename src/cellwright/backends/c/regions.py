"""Large memory of our own, used again: what passes keep, and what they work in.

The allocator gives memory of many megabytes back to the system as soon as it is free,
and gets it anew at the next step of a training, empty, page by page of 4 KiB. That took
a sixth of a GRU's step with 64 rows and 256 units, and two fifths of one with layer
norms. A region comes in pages of 2 MiB where the system has them, and is kept for the
next one who asks.
"""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Sequence
from contextlib import suppress
from math import prod

import torch
from torch import Tensor

LARGE = 1 << 20
"""Bytes from which on memory comes from here; the allocator is quicker with less."""
PAGE = 1 << 21
"""Bytes of a large page; a region is a number of them."""
MOST = 1 << 28
"""Bytes that are kept for later at most. What is in use does not count."""


class Regions:
    """Regions that are free.

    Args:
        most: bytes that are kept, those that came back last.
    """

    def __init__(self, most: int = MOST):
        self._most = most
        # A region comes back wherever a tensor dies, in the middle of what stands here
        # too. So the list is changed by single steps of its own, and never locked.
        self._free: list[mmap.mmap] = []

    @property
    def kept(self) -> int:
        """Bytes that are free, and kept."""
        return sum(map(len, [*self._free]))

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return a tensor in a region, which is free again when nobody has it any more.

        Args:
            shape: of at least one number.
            dtype: of its numbers.
        """
        size = -(-prod(shape) * dtype.itemsize // PAGE) * PAGE
        region = self._taken(size) or self._new(size)
        view = memoryview(region)
        # A tensor has its view, and so has every tensor that is part of it.
        weakref.finalize(view, self._back, region).atexit = False
        count = prod(shape)
        return torch.frombuffer(view, dtype=dtype, count=count).view(tuple(shape))

    def _taken(self, size: int) -> mmap.mmap | None:
        """Return a free region of at least a size, but not of twice as much."""
        while fits := [each for each in [*self._free] if size <= len(each) < 2 * size]:
            best = min(fits, key=len)
            try:
                self._free.remove(best)
            except ValueError:
                # Another thread has it.
                continue
            return best
        return None

    def _back(self, region: mmap.mmap) -> None:
        if len(region) > self._most:
            return
        self._free.append(region)
        # Those go first that nobody wanted for the longest time.
        while self.kept > self._most:
            del self._free[:1]

    def _new(self, size: int) -> mmap.mmap:
        try:
            return _new_region(size)
        except OSError:
            # What lies here for nobody may be what is missing.
            self._free.clear()
        try:
            return _new_region(size)
        except OSError as error:
            raise MemoryError(f"no memory for {size:,} bytes") from error


def _new_region(size: int) -> mmap.mmap:
    region = mmap.mmap(-1, size, access=mmap.ACCESS_COPY)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A kernel that was built without large pages refuses what is a hint to others.
        with suppress(OSError):
            region.madvise(mmap.MADV_HUGEPAGE)
    return region


_regions = Regions()


def empty(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return memory for numbers that no caller sees.

    Args:
        like: has their dtype and device.
        shape: as they lie.
    """
    if has(like, shape):
        return _regions.empty(shape, like.dtype)
    return like.new_empty(tuple(shape))


def has(like: Tensor, shape: Sequence[int]) -> bool:
    """Whether memory of a shape is a region, see `empty`."""
    return like.is_cpu and prod(shape) * like.element_size() >= LARGE
