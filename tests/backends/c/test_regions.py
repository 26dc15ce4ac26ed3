"""Large memory is used again, by nobody at the same time, and not all of it is kept."""

import ctypes
import errno
import gc
import mmap
import os
import threading
from unittest import mock

import pytest
import torch

import cellwright as cw
from cellwright.backends.c import regions
from cellwright.backends.c.regions import LARGE, PAGE, Regions


def test_a_region_is_free_when_its_last_tensor_is():
    """Also of a part of it; the next one who asks has the same memory."""
    free = Regions()
    first = free.empty((PAGE,), torch.int8)
    at, part = first.data_ptr(), first[7:9]
    del first
    assert free.kept == 0
    assert free.empty((PAGE,), torch.int8).data_ptr() != at
    del part
    assert free.kept == 2 * PAGE
    kept = [free.empty((PAGE,), torch.int8) for _ in range(2)]
    assert at in [each.data_ptr() for each in kept]
    assert free.kept == 0


def test_a_region_has_at_most_twice_what_is_asked_for():
    """A small tensor keeps no large region from those who need it."""
    free = Regions()
    free.empty((4 * PAGE,), torch.int8)
    assert free.kept == 4 * PAGE
    for pages, expected in ((2, 4), (3, 2)):
        tensor = free.empty((pages * PAGE,), torch.int8)
        assert free.kept == expected * PAGE
        del tensor


def test_no_more_is_kept_than_agreed():
    """What nobody wanted for longest goes back to the system; the largest at once."""
    free = Regions(most=3 * PAGE)
    tensors = [free.empty((PAGE,), torch.int8) for _ in range(5)]
    tensors.clear()
    assert free.kept == 3 * PAGE
    free.empty((8 * PAGE,), torch.int8)
    assert free.kept == 3 * PAGE
    last = free.empty((2 * PAGE,), torch.int8)
    at = last.data_ptr()
    del last
    assert free.kept == 3 * PAGE
    assert free.empty((2 * PAGE,), torch.int8).data_ptr() == at


def test_what_is_kept_gives_way_to_what_is_missing():
    """Where the system has no more, all that lies here for nobody goes back first."""
    free, asked = Regions(), list[int]()

    def scarce(size: int) -> mmap.mmap:
        asked.append(free.kept)
        if free.kept or size > 8 * PAGE:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return found(size)

    found = regions._new_region
    free.empty((PAGE,), torch.int8)
    with mock.patch.object(regions, "_new_region", scarce):
        tensor = free.empty((8 * PAGE,), torch.int8)
        with pytest.raises(MemoryError, match="18,874,368 bytes"):
            free.empty((9 * PAGE,), torch.int8)
    assert asked == [PAGE, 0, 0, 0]
    assert len(tensor) == 8 * PAGE


def test_what_is_kept_for_backward_comes_back():
    """Autograd lets it go behind a backward pass, or with the graph that is dropped."""
    layer = cw.nn.LSTM(8, 64)
    x = torch.randn(50, 64, 8)
    free, kept = Regions(), 4 * 50 * 64 * 64 * 4
    with mock.patch.object(regions, "_regions", free):
        for _ in range(4):
            output = layer(x)[0]
            before = free.kept
            output.sum().backward()
            assert free.kept >= before + kept
        before = free.kept
        layer(x)
        gc.collect()
        assert free.kept == before


def test_small_memory_is_the_allocators():
    """And that of tensors without numbers, or of another device."""
    like, free = torch.zeros(1), Regions()
    with mock.patch.object(regions, "_regions", free):
        assert regions.empty(like, (LARGE // 4 - 1,)).numel() == LARGE // 4 - 1
        assert regions.empty(like, (0,)).numel() == 0
        assert regions.empty(torch.zeros(1, device="meta"), (LARGE,)).is_meta
        assert free.kept == 0
        assert regions.empty(like, (LARGE // 4,)).numel() == LARGE // 4
        assert free.kept == PAGE


def test_threads_have_regions_of_their_own():
    """Two that ask at the same time never have one."""
    free, wrong = Regions(), list[int]()

    def work(mark: int) -> None:
        for _ in range(200):
            tensor = free.empty((PAGE,), torch.int8)
            tensor[::4096] = mark
            wrong.extend(tensor[::4096][tensor[::4096] != mark].tolist())

    threads = [threading.Thread(target=work, args=(i + 1,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_writes_to_memory_of_its_own():
    """As workers do that are forked."""
    free = Regions()
    tensor = free.empty((PAGE,), torch.int8)
    tensor.fill_(1)
    child = os.fork()
    if not child:
        # Not by torch, whose threads have not come along.
        ctypes.memset(tensor.data_ptr(), 2, PAGE)
        os._exit(0)
    os.waitpid(child, 0)
    assert bool((tensor == 1).all())
