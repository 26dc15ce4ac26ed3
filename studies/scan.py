"""Does a scan in chunks of time beat the loop? Cells that are linear in the state.

``python studies/scan.py`` writes ``scan.json`` and ``scan.md`` beside it; ``--write``
writes the page alone. The section of docs/performance.md is written, from ``scan.json``
too, by ``python benchmarks/page.py``.

Three contenders do the same: the layer on its generated kernel, and a prototype
(``scan.c``) that has the products with x for all steps before the loop, once with a
plain loop and once with a scan in two chunks, one for each thread. So what the products
bring and what the scan brings stand apart. A turn is all three, one after the other; it
counts if nobody else wanted a core before and behind it.
"""

import argparse
import ctypes
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import cellwright as cw
from cellwright.backends.c import toolchain
from cellwright.backends.c.levels import best_level
from cellwright.backends.c.threads import team
from cellwright.bench.machine import machine
from scan_page import BOTH, PAGE, RESULTS, page

HERE = Path(__file__).parent
HEADERS = HERE.parent / "src" / "cellwright" / "backends" / "c"
CELLS = ("min_gru", "min_lstm", "qrnn_pool", "sru_first", "sru", "indrnn")
"""In the order of scan.c; the last two are linear in their backward step alone."""
LINEAR = CELLS[:4]
STEPS = (4096, 16384)
BATCHES = (1, 4)
WIDTHS = (32, 128, 512)
LARGEST = 16384 * 512
"""States of a row: with four times as many a turn takes ten seconds."""
TURNS = 60
BUDGET, LEAST = 1.0, 5
"""Seconds for one row in one direction, and how many turns are made at least."""
NAMES = ("kernel", "loop", "scan")


class Job(ctypes.Structure):
    """What ``run`` of scan.c takes."""

    _fields_ = (
        *((n, ctypes.c_void_p) for n in ("p", "x", "dy", "u", "y", "h", "dp")),
        *((n, ctypes.c_void_p) for n in ("local", "product")),
        *(
            (n, ctypes.c_int64)
            for n in ("steps", "rows", "width", "chunks", "backward")
        ),
    )


def build(cell: str, folder: Path) -> Callable[[Job], None]:
    """Compile the prototype of a cell as kernels are compiled."""
    compiler, level = toolchain.find_compiler(), best_level()
    assert compiler is not None
    out = folder / f"{cell}.so"
    extra = [f"-DCELL={CELLS.index(cell)}", "-DCW_DOUBLE=0", "-I", str(HEADERS)]
    extra.append(f"-DCW_BYTES={level.vector_bytes}")
    toolchain.compile(HERE / "scan.c", out, compiler, level, extra)
    run = ctypes.CDLL(str(out)).run
    threads = (ctypes.c_int64 * 3)(torch.get_num_threads(), *team())
    return lambda job: run(ctypes.byref(job), threads)


@dataclass
class Prototype:
    """A cell by scan.c, its products by torch's BLAS.

    Args:
        run: what `build` returns.
        layer: the layer that it equals; its weights are used.
        scanned: whether the state's steps are in two chunks, where they are linear.
    """

    run: Callable[[Job], None]
    layer: cw.nn.Recurrent
    scanned: bool

    def __post_init__(self) -> None:
        weights = dict(self.layer.named_parameters())
        self.gates = ORDER[self.layer.cell.name]
        zero = torch.zeros(self.layer.hidden_size)
        self.weight = self.bias = None
        if self.gates:
            self.weight = torch.cat([weights[f"W{g}_l0"] for g in self.gates]).detach()
            biases = [weights.get(f"b{g}_l0", zero) for g in self.gates]
            self.bias = torch.cat(biases).detach()
        rows = [weights.get(f"{name}_l0", zero) for name in ("v_f", "v_r")]
        if "u_l0" in weights:
            rows[0] = weights["u_l0"]
        self.own = torch.stack(rows).detach()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, the states and what the gates hold before squashing."""
        steps, rows, _ = x.shape
        width = self.layer.hidden_size
        flat = x.view(steps * rows, -1)
        p = flat
        if self.weight is not None and self.bias is not None:
            p = torch.addmm(self.bias, flat, self.weight.t())
        h = torch.empty(steps, rows, width)
        y = h if self.layer.cell.name in SAME else torch.empty_like(h)
        linear = self.layer.cell.name in LINEAR
        self._run(x, p, h, y, None, None, self.scanned and linear)
        return y, h, p

    def both(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the outputs and the gradients of the gates and of the weights."""
        y, h, p = self.forward(x)
        dy, dp = torch.ones_like(y), torch.empty_like(p)
        self._run(x, p, h, y, dy, dp, self.scanned)
        if self.weight is None:
            return y, dp, None
        weights = dp.t() @ x.view(p.shape[0], -1)
        _ = dp.sum(0)
        if self.layer.cell.name in ("sru", "indrnn"):
            # The gradients of weights that are one number a unit.
            last = h[:-1].reshape(-1, h.shape[-1])
            gates = dp[h.shape[1] :]
            for place in range(2 if self.layer.cell.name == "sru" else 1):
                part = gates[:, place * h.shape[-1] : (place + 1) * h.shape[-1]]
                _ = (part * last).sum(0)
        return y, dp, weights

    def _run(
        self,
        x: Tensor,
        p: Tensor,
        h: Tensor,
        y: Tensor,
        dy: Tensor | None,
        dp: Tensor | None,
        scanned: bool,
    ) -> None:
        local = product = h
        if scanned:
            local, product = torch.empty_like(h), torch.empty_like(h)
        tensors = (p, x, h if dy is None else dy, self.own, y, h)
        tensors += (h if dp is None else dp, local, product)
        pointers = [tensor.data_ptr() for tensor in tensors]
        shape = (*h.shape, 1 + scanned, int(dy is not None))
        self.run(Job(*pointers, *shape))


SAME = ("min_gru", "min_lstm", "indrnn")
"""Cells that put out their state."""
ORDER: Mapping[str, Sequence[str]] = {
    "min_gru": ("_z", "_n"),
    "min_lstm": ("_f", "_i", "_n"),
    "qrnn_pool": (),
    "sru_first": ("_f", "_r", ""),
    "sru": ("_f", "_r", ""),
    "indrnn": ("",),
}
"""The gates in the order of scan.c, by the names of their weights."""


def checked(layer: cw.nn.Recurrent, prototypes: Mapping[str, Prototype]) -> None:
    """Stop unless every contender gives the same outputs and gradients."""
    assert layer.backend_report().rows[0].backend == "c", layer.backend_report()
    x = torch.randn(8, 2, layer.input_size)
    x.requires_grad_(layer.cell.name == "qrnn_pool")
    expected = layer(x)[0]
    expected.sum().backward()
    for prototype in prototypes.values():
        y, dp, weights = prototype.both(x.detach())
        assert (y - expected).abs().max() < 1e-4
        if weights is None:
            assert x.grad is not None
            assert (dp.view_as(x) - x.grad).abs().max() < 1e-4
            continue
        own = dict(layer.named_parameters())
        for place, gate in enumerate(prototype.gates):
            size = layer.hidden_size
            part = weights[place * size : (place + 1) * size]
            grad = own[f"W{gate}_l0"].grad
            assert grad is not None
            assert (part - grad).abs().max() < 1e-3


def runnable() -> int:
    """Return how many threads of this machine want a core now, this one included."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])


def turns(calls: Mapping[str, Callable[[], object]]) -> dict[str, Any]:
    """Return the times of all contenders, in milliseconds, turn by turn."""
    for call in calls.values():
        call()
    quiet: list[list[float]] = []
    every: list[list[float]] = []
    begin = time.perf_counter()
    while len(every) < LEAST or (
        len(quiet) < TURNS and time.perf_counter() - begin < BUDGET
    ):
        alone = runnable() <= 1
        row: list[float] = []
        for call in calls.values():
            start = time.perf_counter()
            call()
            row.append(1e3 * (time.perf_counter() - start))
        every.append(row)
        if alone and runnable() <= 1:
            quiet.append(row)
    kept = quiet if len(quiet) >= LEAST else every
    return {"quiet": kept is quiet, "made": len(every), "kept": len(kept), "ms": kept}


def summarised(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return medians, and ratios of turns with their bootstrap intervals."""
    columns = list(zip(*found["ms"], strict=True))
    kernel, loop, scan = columns
    # What a turn takes when the other processes happen to leave both cores alone.
    best = [statistics.quantiles(column, n=10)[0] for column in columns]
    return {
        "quiet": found["quiet"],
        "made": found["made"],
        "kept": found["kept"],
        **{
            name: round(statistics.median(column), 4)
            for name, column in zip(NAMES, columns, strict=True)
        },
        "undisturbed": [round(value, 4) for value in best],
        "products": interval(kernel, loop),
        "scan's own": interval(loop, scan),
    }


def interval(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return the median of one over other by turns, and 95 % of its resamples."""
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    draw = random.Random(0)
    resampled = sorted(
        statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(1000)
    )
    values = (statistics.median(ratios), resampled[25], resampled[974])
    return [round(value, 3) for value in values]


def rows(folder: Path) -> list[dict[str, Any]]:
    """Measure every row."""
    found: list[dict[str, Any]] = []
    for cell in CELLS:
        run = build(cell, folder)
        for width in WIDTHS:
            torch.manual_seed(0)
            inputs = 3 * width if cell == "qrnn_pool" else width
            layer = cw.nn.Recurrent(cell, inputs, width)
            prototypes = {
                name: Prototype(run, layer, name == "scan") for name in NAMES[1:]
            }
            checked(layer, prototypes)
            for batch in BATCHES:
                for steps in STEPS:
                    if steps * batch * width > LARGEST:
                        continue
                    x = torch.randn(steps, batch, inputs)
                    row = {"cell": cell, "H": width, "B": batch, "T": steps}
                    for what in ("forward", BOTH):
                        if what == "forward" and cell not in LINEAR:
                            continue  # nothing to scan: it is not linear
                        row[what] = summarised(turns(calls(what, layer, prototypes, x)))
                    found.append(row)
                    print(json.dumps(row), file=sys.stderr, flush=True)
    return found


def calls(
    what: str,
    layer: cw.nn.Recurrent,
    prototypes: Mapping[str, Prototype],
    x: Tensor,
) -> Mapping[str, Callable[[], object]]:
    """Return the contenders of a row, all of them with the same work to do."""
    given = x.clone().requires_grad_(layer.cell.name == "qrnn_pool")

    def kernel() -> None:
        with torch.inference_mode():
            layer(x)

    def trained() -> None:
        for weight in (*layer.parameters(), given):
            weight.grad = None
        layer(given)[0].sum().backward()

    if what == "forward":
        own = {name: partial(one.forward, x) for name, one in prototypes.items()}
        return {"kernel": kernel, **own}
    return {"kernel": trained} | {
        name: partial(one.both, x) for name, one in prototypes.items()
    }


def main() -> None:
    """Measure, or only write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            found = rows(Path(folder))
        about = machine() | {"load": [round(before, 1), round(os.getloadavg()[0], 1)]}
        about = {k: v for k, v in about.items() if k not in ("steps", "turns")}
        results = {"machine": about, "rows": found}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
