"""The bits of kernels do not depend on who runs them, nor on how many do."""

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import pytest
import torch
from torch.utils.data import DataLoader

from cellwright.backends.c import threads
from cellwright.backends.c.tape import Tape
from cellwright.cells import find
from cellwright.compiler.programs import program as compiled
from thread_runs import (
    CELLS,
    SHAPES,
    SHARED,
    SHORT,
    Bits,
    all_bits,
    digest,
    in_python_threads,
    problem,
    run,
    with_threads,
)

TESTS = Path(__file__).parents[2]
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
START = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_uint] * 2)
"""What a thread of a team does with its data, and what starts one, as GOMP_parallel."""


def address(function: Any) -> int:
    """Return where C finds a function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@pytest.fixture(scope="module")
def bits() -> list[str]:
    """Return the bits of a single thread."""
    return with_threads(1, all_bits)


def in_process(program: str, **environment: str) -> list[str]:
    """Return what another process of Python prints as JSON."""
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_second_backward_is_the_first(
    cell: str, shape: tuple[int, int, int, int], dtype: torch.dtype
):
    """Nothing that the backward pass reads is written by it."""
    first, second = run(*problem(cell, shape, dtype), times=2)

    assert digest(first) == digest(second)


def test_a_team_is_there():
    """Torch's own threads are found, or the tests below would compare one with one."""
    if "OpenMP" not in torch.__config__.parallel_info():
        pytest.skip("this torch has no OpenMP threads to share")

    assert all(threads.team())


@pytest.mark.parametrize("count", [2, 3, 5])
def test_any_number_of_threads_gives_the_same_bits(bits: list[str], count: int):
    """Work and partial sums are cut by the batch, never by the threads."""
    assert with_threads(count, all_bits) == bits


def test_a_team_smaller_than_asked_for(bits: list[str]):
    """All of the batch is computed where OpenMP gives fewer threads than asked."""
    program = (
        "import json, torch, thread_runs\n"
        "torch.set_num_threads(2)\n"
        "print(json.dumps(thread_runs.all_bits()))"
    )

    assert in_process(program, OMP_THREAD_LIMIT="1") == bits


def test_inside_a_parallel_region(bits: list[str]):
    """Each thread of somebody's team runs a whole kernel by itself."""
    if not all(threads.team()):
        pytest.skip("this torch has no OpenMP threads to share")
    program = (
        "import json, torch, thread_runs\n"
        "torch.set_num_threads(2)\n"
        "print(json.dumps(thread_runs.in_parallel_region(2)))"
    )

    assert in_process(program) == [[True, bits], [True, bits]]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_workers_of_a_data_loader(bits: list[str], method: str):
    """A worker process gives the same bits, though torch gives it one thread."""
    loader = DataLoader(
        Bits(), batch_size=None, num_workers=2, multiprocessing_context=method
    )

    assert list(loader) == [bits, bits]


def test_a_bare_fork(bits: list[str]):
    """A child that takes one thread, as torch asks of it, gives the same bits."""
    program = (
        "import json, os, sys, torch, thread_runs\n"
        "torch.set_num_threads(2)\n"
        "thread_runs.all_bits()\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "torch.set_num_threads(1)\n"
        "print(json.dumps(thread_runs.all_bits()))"
    )

    assert in_process(program, PYTHONWARNINGS="ignore") == bits


def test_two_python_threads_at_once(bits: list[str]):
    """Calls share no memory, neither of results nor of what is in between."""
    assert in_python_threads(2) == [bits, bits]


def test_a_forked_child_asks_for_no_team():
    """OpenMP's threads do not come along, and a team of them would never end."""
    program = (
        "import json, os, sys\n"
        "from cellwright.backends.c import threads\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print(json.dumps(threads.team()))"
    )

    assert in_process(program, PYTHONWARNINGS="ignore") == [0, 0]


def noted_starts() -> tuple[list[int], Any]:
    """Return a list, and what starts a team of one and notes how many were asked."""
    asked: list[int] = []

    @START
    def start(function: int, data: int, count: int, _: int) -> None:
        asked.append(count)
        WORK(function)(data)

    return asked, start


@pytest.mark.parametrize("inside", [False, True])
def test_a_team_is_asked_for_where_it_pays(inside: bool):
    """Long calls take all threads, short ones and those of a team's thread take one."""
    asked, start = noted_starts()

    @ctypes.CFUNCTYPE(ctypes.c_int)
    def is_inside() -> int:
        return inside

    pair = address(start), address(is_inside)
    short = problem("gru", SHORT, torch.float32)
    with mock.patch.object(threads, "team", return_value=pair):
        with_threads(2, lambda: [digest(run(*short)[0])])
        assert asked == []
        for shape in SHARED:
            asked.clear()
            long = problem("gru", shape, torch.float32)
            with_threads(2, lambda long=long: [digest(run(*long)[0])])
            assert set(asked) == (set() if inside else {2})


def test_a_team_that_may_still_spin_is_asked_for_less():
    """A call that comes soon behind the last one takes more threads, with its bits."""
    asked, start = noted_starts()
    pair = address(start), 0
    layer, x = problem("lstm", (100, 1, 64, 64), torch.float32)
    with mock.patch.object(threads, "team", return_value=pair), torch.no_grad():
        with_threads(2, lambda: [digest([layer(x)[0]])])
        time.sleep(0.01)
        asked.clear()
        # Both directions of the layer are one kernel's: only the first comes late.
        first = with_threads(2, lambda: [digest([layer(x)[0]])])
        assert asked == [2]
        # Something else may have the machine between two calls, but not every time.
        for _ in range(50):
            asked.clear()
            assert with_threads(2, lambda: [digest([layer(x)[0]])]) == first
            if asked == [2, 2]:
                break
        assert asked == [2, 2]


@pytest.mark.parametrize(
    ("T", "B", "I", "H"),
    [
        (1, 1, 3200, 304),
        (1, 8, 304, 304),
        (5, 1, 800, 304),
        (6, 1, 304, 304),
        (128, 1, 304, 304),
        (129, 1, 304, 304),
        (20, 3, 304, 304),
        (43, 3, 304, 304),
        (100, 1, 4000, 16),
    ],
)
@pytest.mark.parametrize("count", [2, 3, 16, 17])
def test_weights_that_are_packed_late(
    T: int,
    B: int,
    I: int,  # noqa: E741  # the axis' name
    H: int,
    count: int,
):
    """As many rows as are one block or not, and fewer tiles than threads."""
    layer, x = problem("lstm", (T, B, I, H), torch.float32)
    with torch.no_grad():
        alone = with_threads(1, lambda: [digest([layer(x)[0]])])
        assert with_threads(count, lambda: [digest([layer(x)[0]])]) == alone


@pytest.mark.parametrize("cell", ["sru", "multiplicative_lstm"])
@pytest.mark.parametrize("shape", [(100, 1, 304, 304), (20, 3, 304, 304)])
@pytest.mark.parametrize("count", [2, 3])
def test_weights_that_are_packed_late_backward_or_twice(
    cell: str, shape: tuple[int, int, int, int], count: int
):
    """One cell has products ahead of its steps back, the other has two of them."""
    long = problem(cell, shape, torch.float32)

    assert digest(with_threads_of(count, long)) == digest(with_threads_of(1, long))


@pytest.mark.skipif(sys.platform != "linux", reason="nobody says which core it is")
def test_a_thread_leaves_the_core_of_the_one_who_woke_it():
    """It works on another one, and may go everywhere again."""
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("there is no other core")
    core = ctypes.CDLL(None).sched_getcpu
    seen: list[tuple[bool, set[int]]] = []

    @START
    def start(function: int, data: int, *_: int) -> None:
        own = core()

        def come() -> None:
            os.sched_setaffinity(0, {own})
            os.sched_setaffinity(0, cores)
            WORK(function)(data)
            seen.append((core() != own, os.sched_getaffinity(0)))

        thread = Thread(target=come)
        thread.start()
        thread.join()

    pair = address(start), 0
    layer, x = problem("lstm", SHARED[0], torch.float32)
    with mock.patch.object(threads, "team", return_value=pair), torch.no_grad():
        for _ in range(5):
            with_threads(2, lambda: [digest([layer(x)[0]])])
    assert any(moved for moved, _ in seen)
    assert all(mask == cores for _, mask in seen)


@pytest.mark.parametrize(
    "delays", [(0.02, 0.0), (0.0, 0.02), (0.0,), (0.0, 0.001, 0.0)]
)
@pytest.mark.parametrize("shape", SHARED)
def test_threads_come_late_or_not_at_all(
    shape: tuple[int, int, int, int], delays: tuple[float, ...]
):
    """Their shares are done by those that are there, and nothing is done twice."""
    long = problem("lstm_norm_joint", shape, torch.float32)
    alone = digest(with_threads_of(1, long))

    @START
    def start(function: int, data: int, *_: int) -> None:
        def come(delay: float) -> None:
            time.sleep(delay)
            WORK(function)(data)

        team = [Thread(target=come, args=(delay,)) for delay in delays]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()

    pair = address(start), 0
    with mock.patch.object(threads, "team", return_value=pair):
        together = digest(with_threads_of(max(2, len(delays)), long))
    assert together == alone


def with_threads_of(count: int, long: tuple[Any, torch.Tensor]) -> list[torch.Tensor]:
    """Return a layer's results and gradients, with a number of threads."""
    found: list[torch.Tensor] = []
    with_threads(count, lambda: found.extend(run(*long)[0]) or [])
    return found


def test_a_thread_without_memory_is_told():
    """A step whose values find no room is an error, not a result."""
    text = (
        "size input_size = hidden_size\ninput x [input_size]\n"
        "state h [hidden_size]\noutput h'\nh' = h + x\n"
    )
    forward = compiled(find(text).graph, (), "none", torch.float32).kernel
    row = torch.zeros(1, 1, 1)
    sizes = [2**44 for _ in forward.sizes]

    with pytest.raises(MemoryError):
        forward.run(
            Tape(row), sizes, (1, 0, 1), [], [row], [(row[0], row[0])], [(row, 0)]
        )
