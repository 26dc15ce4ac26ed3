"""What ``memory="recompute"`` saves and costs, beside ``memory="store"``.

``python studies/recompute.py`` writes ``recompute.json`` beside it, and the table of
docs/memory.md; with ``--go-on`` it keeps the rows that are there. Three things are
measured for each layer and length:

* what is kept from the forward pass to the backward one: the bytes of the tensors that
  autograd saves, which nobody holds otherwise. A count, the same on every machine;
* the most memory that a process of its own holds during a forward and a backward pass,
  over what it held before, when the layer, its input and its kernels were there
  (``ru_maxrss``, which only rises: every figure takes a process of its own). What is
  freed goes back at once (``MALLOC_MMAP_THRESHOLD_``), or it would count twice;
* the time of both passes on all cores together (CPU time, which other work on the
  machine hardly moves), the two modes in turn in one process: the median of the ratios
  of neighbours, in several processes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import cellwright as cw
from cellwright.bench.machine import machine

HERE = Path(__file__).parent
RESULTS = HERE / "recompute.json"
DOCS = HERE.parent / "docs" / "memory.md"
TABLE = re.compile(r"^\| cell \| T .*\n(\|.*\n)*", re.MULTILINE)
BATCH, WIDTH = 16, 128
CELLS = ("lstm", "gru", "lstm_norm_joint")
STEPS = (1_000, 10_000)
TURNS: Mapping[int, int] = {1_000: 15, 10_000: 4}
PROCESSES = 2
MODES: tuple[Literal["store", "recompute"], ...] = ("store", "recompute")
MIB = 2**20


def layer_of(cell: str) -> cw.nn.Recurrent:
    """Return a layer, on kernels that are built and loaded."""
    torch.manual_seed(0)
    layer = cw.nn.Recurrent(cell, WIDTH, WIDTH)
    assert layer.backend == "c", layer.backend_report()
    for mode in MODES:
        layer.memory = mode
        once(layer, torch.zeros(2, BATCH, WIDTH))
    return layer


def once(layer: cw.nn.Recurrent, x: Tensor) -> None:
    """Run both passes."""
    layer.zero_grad()
    layer(x)[0].mean().backward()


def kept(layer: cw.nn.Recurrent, x: Tensor) -> int:
    """Return the bytes that wait for the backward pass, and that nobody else holds."""
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        found[memory.data_ptr()] = memory.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        output, state = layer(x)
    states = [state] if isinstance(state, Tensor) else list(state)
    for held in (x, output, *states, *layer.parameters()):
        found.pop(held.untyped_storage().data_ptr(), None)
    return sum(found.values())


def peak(layer: cw.nn.Recurrent, x: Tensor) -> float:
    """Return by how many bytes the most memory of this process rises in both passes."""
    before = _most_memory()
    once(layer, x)
    return _most_memory() - before


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ratios(layer: cw.nn.Recurrent, x: Tensor) -> dict[str, float]:
    """Return the median ratio of the times of both modes, and the median times."""
    times: dict[str, list[float]] = {mode: [] for mode in MODES}
    for turn in range(TURNS[len(x)] + 1):
        # In turn the one and the other comes first.
        for mode in MODES if turn % 2 else reversed(MODES):
            layer.memory = mode
            began = time.process_time()
            once(layer, x)
            times[mode].append(time.process_time() - began)
    pairs = list(zip(times["recompute"][1:], times["store"][1:], strict=True))
    return {
        "ratio": statistics.median(anew / stored for anew, stored in pairs),
        **{mode: statistics.median(found[1:]) for mode, found in times.items()},
    }


def child(what: str, cell: str, steps: str) -> None:
    """Measure one thing, as a process of its own, and print it."""
    layer, x = layer_of(cell), torch.randn(int(steps), BATCH, WIDTH)
    if what == "time":
        print(json.dumps(ratios(layer, x)))
        return
    layer.memory = MODES[MODES.index(what)]
    print(json.dumps({"peak": peak(layer, x), "kept": kept(layer, x)}))


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a child; what it prints is its answer."""
    command = [sys.executable, __file__, "--child", *arguments]
    # A thread that waits by spinning would count as work.
    own = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    if arguments[0] in MODES:
        own["MALLOC_MMAP_THRESHOLD_"] = "65536"
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=own, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a child found."""
    return json.loads(process.communicate()[0])


def measure(rows: Sequence[Mapping[str, Any]]) -> None:
    """Measure what the table is made of, and write it down row by row.

    Args:
        rows: what is known already.
    """
    known = {(row["cell"], row["steps"]): row for row in rows}
    for cell in CELLS:
        for steps in STEPS:
            if (cell, steps) not in known:
                known[cell, steps] = row_of(cell, steps)
                print(line(known[cell, steps]), file=sys.stderr)
                write(list(known.values()))


def row_of(cell: str, steps: int) -> dict[str, Any]:
    """Measure a row of the table."""
    given = (cell, str(steps))
    processes = {mode: start(mode, *given) for mode in MODES}
    timed = [start("time", *given) for _ in range(PROCESSES)]
    found = {mode: answer(process) for mode, process in processes.items()}
    times = [answer(process) for process in timed]
    return {
        "cell": cell,
        "steps": steps,
        **found,
        "turns": TURNS[steps],
        "times": times,
    }


def write(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the study and the page."""
    # What else is known of the machine is about another study.
    names = ("processor", "cores", "threads", "torch")
    where = {name: value for name, value in machine().items() if name in names}
    found = {"machine": where, "batch": BATCH, "width": WIDTH, "rows": rows}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    text = DOCS.read_text(encoding="utf-8")
    DOCS.write_text(with_table(text, found), encoding="utf-8")


def line(row: Mapping[str, Any]) -> str:
    """Return a row of the table."""
    found = [time["ratio"] for time in row["times"]]
    cells = [row["cell"], f"{row['steps']:,}"]
    for what in ("kept", "peak"):
        cells += [f"{row[mode][what] / MIB:.1f}" for mode in MODES]
    span = f"{min(found):.2f} to {max(found):.2f}"
    return f"| {' | '.join(cells)} | {statistics.median(found):.2f} ({span}) |"


def with_table(text: str, found: Mapping[str, Any]) -> str:
    """Return the page of memory with the table that was measured.

    Args:
        text: The page.
        found: The study.
    """
    lines = [
        "| cell | T | kept: store | recompute | peak: store | recompute | time |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *map(line, found["rows"]),
    ]
    return TABLE.sub("\n".join(lines) + "\n", text)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--go-on", action="store_true", help="keep rows that are there")
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    there = options.go_on and RESULTS.exists()
    measure(json.loads(RESULTS.read_text("utf-8"))["rows"] if there else [])


if __name__ == "__main__":
    main()
