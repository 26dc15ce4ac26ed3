"""The first use of a cell, in new processes: built, and loaded from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from cellwright.backends.c.folder import VARIABLE

from .errors import BenchError
from .registry import CACHED, COLD, Case, Shape

MOST = 5
"""Turns; a compiler is as fast each time."""

PROGRAM = """
import json, sys, time, torch
import cellwright as cw
from cellwright.backends.c.inventory import entries
cell, threads, (B, T, I, H) = json.loads(sys.argv[1])
torch.set_num_threads(threads)
layer = cw.nn.Recurrent(cell, I, H)

def call(B, T):
    begin = time.perf_counter()
    layer(torch.zeros(T, B, I))[0].sum().backward()
    return time.perf_counter() - begin

first, second = call(B, T), call(B, T)
kernels = {entry.sidecar.key for entry in entries()}
for threads in (1, threads + 1):
    torch.set_num_threads(threads)
    for other in ((1, T), (B, 1), (9 * B, 7 * T)):
        call(*other)
rebuilt = len({entry.sidecar.key for entry in entries()} - kernels)
print(json.dumps([first - second, rebuilt]))
"""
"""What a process tells: seconds of the first call beyond the second, and how many
kernels were built for another batch, number of steps or threads."""


def measured(case: Case, shape: Shape, turns: int, threads: int) -> dict[str, Any]:
    """Return the seconds of first calls, forward and backward, and counts.

    Args:
        case: whose cell.
        shape: of the call.
        turns: at most so many folders are filled; each is used by two processes.
        threads: of torch.
    """
    seconds: dict[str, list[float]] = {COLD: [], CACHED: []}
    rebuilt = 0
    for _ in range(min(turns, MOST)):
        with tempfile.TemporaryDirectory() as folder:
            for name in (COLD, CACHED):
                given = json.dumps([str(case.cell), threads, shape])
                done = subprocess.run(
                    [sys.executable, "-c", PROGRAM, given],
                    env={**os.environ, VARIABLE: folder},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise BenchError(f"a process failed:\n{done.stderr}")
                taken, more = json.loads(done.stdout)
                seconds[name].append(float(f"{max(taken, 0.0):.5g}"))
                rebuilt = max(rebuilt, more)
    return {"seconds": seconds, "counts": {"rebuilt": rebuilt}}
