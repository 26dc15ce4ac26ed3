"""The bits of kernels do not depend on who runs them, nor on how many do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from cellwright.backends.c import threads
from thread_runs import (
    CELLS,
    SHAPES,
    Bits,
    all_bits,
    digest,
    in_python_threads,
    problem,
    run,
    with_threads,
)

TESTS = Path(__file__).parents[2]


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
