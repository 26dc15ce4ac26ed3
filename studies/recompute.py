"""What ``memory="recompute"`` saves and costs, beside ``memory="store"``.

``python studies/recompute.py`` writes ``recompute.json`` beside it, and the table of
docs/memory.md. Three things are measured for each layer and length:

* what is kept from the forward pass to the backward one: the bytes of the tensors that
  autograd saves, which nobody holds otherwise. A count, the same on every machine;
* the most memory that a process of its own holds during a forward and a backward pass,
  over what it held before, when the layer, its input and its kernels were there
  (``ru_maxrss``, which only rises: every figure takes a process of its own). What is
  freed goes back at once (``MALLOC_MMAP_THRESHOLD_``), or it would count twice;
* the time of both passes, the two modes in turn in one process: the median of the
  ratios of neighbours, in several processes, as other work on the machine moves it.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import cellwright as cw
from performance import machine

HERE = Path(__file__).parent
RESULTS = HERE / "recompute.json"
DOCS = HERE.parent / "docs" / "memory.md"
TABLE = re.compile(r"^\| layer \| T .*\n(\|.*\n)*", re.MULTILINE)
BATCH, WIDTH = 16, 128
LAYERS: Mapping[str, tuple[str, int]] = {
    "lstm": ("lstm", 1),
    "gru": ("gru", 1),
    "lstm_norm_joint": ("lstm_norm_joint", 1),
    "lstm, 4 layers": ("lstm", 4),
}
STEPS = (1_000, 10_000)
TURNS: Mapping[int, int] = {1_000: 25, 10_000: 5}
PROCESSES = 3
MODES = ("store", "recompute")
MIB = 2**20


def layer_of(name: str) -> cw.nn.Recurrent:
    """Return a layer, on kernels that are built and loaded."""
    cell, num_layers = LAYERS[name]
    torch.manual_seed(0)
    layer = cw.nn.Recurrent(cell, WIDTH, WIDTH, num_layers)
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
            began = time.perf_counter()
            once(layer, x)
            times[mode].append(time.perf_counter() - began)
    pairs = list(zip(times["recompute"][1:], times["store"][1:], strict=True))
    return {
        "ratio": statistics.median(anew / stored for anew, stored in pairs),
        **{mode: statistics.median(found[1:]) for mode, found in times.items()},
    }


def child(what: str, name: str, steps: str) -> None:
    """Measure one thing, as a process of its own, and print it."""
    layer, x = layer_of(name), torch.randn(int(steps), BATCH, WIDTH)
    if what == "time":
        print(json.dumps(ratios(layer, x)))
        return
    layer.memory = what
    print(json.dumps({"peak": peak(layer, x), "kept": kept(layer, x)}))


def start(*arguments: str) -> dict[str, Any]:
    """Run a child, and return what it printed."""
    command = [sys.executable, __file__, "--child", *arguments]
    own = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    if arguments[0] == "time":
        # Time is measured as users have it.
        own = dict(os.environ)
    run = subprocess.run(command, stdout=subprocess.PIPE, env=own, check=True)
    return json.loads(run.stdout)


def measured() -> dict[str, Any]:
    """Return everything that the table is made of."""
    rows: list[dict[str, Any]] = []
    for name in LAYERS:
        for steps in STEPS:
            row: dict[str, Any] = {"layer": name, "steps": steps}
            row |= {mode: start(mode, name, str(steps)) for mode in MODES}
            row["times"] = [start("time", name, str(steps)) for _ in range(PROCESSES)]
            rows.append(row)
            print(line(row), file=sys.stderr)
    settings = {"batch": BATCH, "width": WIDTH, "turns": TURNS, "processes": PROCESSES}
    # What else it knows is about another study.
    names = ("processor", "cores", "threads", "torch")
    where = {name: value for name, value in machine().items() if name in names}
    return {"machine": where, "settings": settings, "rows": rows}


def line(row: Mapping[str, Any]) -> str:
    """Return a row of the table."""
    found = [time["ratio"] for time in row["times"]]
    cells = [row["layer"], f"{row['steps']:,}"]
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
        "| layer | T | kept: store | recompute | peak: store | recompute | time |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *map(line, found["rows"]),
    ]
    return TABLE.sub("\n".join(lines) + "\n", text)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    found = measured()
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    text = DOCS.read_text(encoding="utf-8")
    DOCS.write_text(with_table(text, found), encoding="utf-8")


if __name__ == "__main__":
    main()
