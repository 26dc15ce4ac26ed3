"""Compare the kernels of thousands of random cells with the reference.

``PYTHONPATH=tests python studies/parity_random_cells.py`` writes
``parity_random_cells.md`` and ``parity_random_cells.json`` beside it. It can be stopped
at any time: what was compared is kept below ``runs/``, and the same command goes on
from there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from cell_statistics import features, table
from cellwright.backends.c.levels import Level, runnable_levels
from cellwright.backends.c.toolchain import find_compiler
from cellwright.cells import find
from drawn_kernels import BOUND, Compared, Drawn, compare, draw
from resumable import finish

HERE = Path(__file__).parent
CHUNK = 20
"""Cells of one translation unit."""
OPTIMISED = 5
"""Every so many units one is compiled with -O1, the others with -O0."""


def main() -> None:
    """Run the study, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=5000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first cell")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    work = HERE.parent / "runs" / "parity_random_cells" / f"{options.seed}.jsonl"
    units = [f"{options.seed} {i}" for i in range(-(-options.cells // CHUNK))]
    rows = finish(work, units, compare_unit, options.jobs, said)
    found = study(options.seed, rows)
    text = json.dumps(found, indent=2) + "\n"
    (HERE / "parity_random_cells.json").write_text(text, encoding="utf-8")
    page = report(found)
    (HERE / "parity_random_cells.md").write_text(page, encoding="utf-8")
    print(page)


def said(rows: Iterable[dict[str, Any]]) -> str:
    """Return what to show while the study runs."""
    return f"{sum(len(row['different']) for row in rows)} different"


def compare_unit(name: str) -> dict[str, Any]:
    """Compare the cells of one translation unit, named by seed and number."""
    torch.set_num_threads(1)
    seed, unit = map(int, name.split())
    levels = runnable_levels()
    level = levels[unit % len(levels)]
    drawn = [draw(f"{seed} {unit * CHUNK + i}") for i in range(CHUNK)]
    begin = time.perf_counter()
    found = _compared(drawn, level, int(unit % OPTIMISED == 0))
    counts: Counter[str] = Counter()
    for one in drawn:
        counts.update(features(find(one.text).graph, one.text))
        added = {
            i.name.split("_")[1] for i in one.problem.graph.inputs if "_" in i.name
        }
        counts.update(f"with {kind}" for kind in added)
        counts.update(["with trace"] if one.problem.trace else [])
    pairs = list(zip(drawn, found, strict=True))
    return {
        "level": level.name,
        "seconds": round(time.perf_counter() - begin, 3),
        "worst": [one.worst for one in found],
        "undecided": [d.seed for d, one in pairs if one.undecided],
        "different": {
            d.seed: {k: v for k, v in one.errors.items() if not v <= BOUND}
            for d, one in pairs
            if not one.equal and not one.undecided
        },
        "counts": dict(counts),
    }


def _compared(drawn: list[Drawn], level: Level, optimise: int) -> list[Compared]:
    """Compare cells together, or one by one where some of them fail altogether."""
    try:
        return compare(drawn, level, optimise)
    except Exception as failure:  # noqa: BLE001  # it is reported, with its cell
        if len(drawn) > 1:
            return [_compared([one], level, optimise)[0] for one in drawn]
        return [Compared({repr(failure): math.inf}, False)]


def study(seed: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Gather all units."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row["counts"])
    undecided = [one for row in rows for one in row["undecided"]]
    worst = sorted(error for row in rows for error in row["worst"])
    decided = worst[: len(worst) - len(undecided)]
    compiler = find_compiler()
    return {
        "seed": seed,
        "cells": len(worst),
        "bound": BOUND,
        "different": {k: v for row in rows for k, v in row["different"].items()},
        "undecided": undecided,
        "median_error": decided[len(decided) // 2],
        "largest_error": decided[-1],
        "decades": _decades(decided),
        "levels": dict(Counter(row["level"] for row in rows for _ in row["worst"])),
        "seconds_a_cell": sum(row["seconds"] for row in rows) / len(worst),
        "compiler": "" if compiler is None else compiler.identity,
        "torch": torch.__version__,
        "counts": dict(sorted(counts.items())),
    }


def _decades(errors: list[float]) -> dict[str, int]:
    """Count errors by their power of ten."""
    powers = [f"1e{math.floor(math.log10(e))}" if e else "0" for e in errors]
    return dict(Counter(powers))


def report(found: Mapping[str, Any]) -> str:
    """Return the study as a Markdown page."""
    counts = Counter(found["counts"])
    added = [f"{k} {n}" for k, n in counts.items() if k.startswith("with ")]
    listed = table(counts, found["cells"]).splitlines()[1:]
    paragraphs = [
        f"# {found['cells']:,} random cells, kernels against the reference",
        (
            "Made by `PYTHONPATH=tests python studies/parity_random_cells.py --seed "
            f"{found['seed']} --cells {found['cells']}`. Output, last states, traces "
            "and the gradient of every input, first state and parameter, in float64, "
            "with and without gradients to come; T up to 16, B up to 13, H up to 17."
        ),
        _verdict(found),
        "Errors by their power of ten: "
        + ", ".join(f"{power} {n}" for power, n in _sorted(found["decades"]))
        + ". The library's own cells are held to 1e-11 in float64 (`parity.md`); "
        "random ones put layer_norm, whose slope is up to 316, behind one another, and "
        "are held to what two forms of one cell may differ by.",
        "Cells by instruction set: "
        + ", ".join(f"{name} {n}" for name, n in found["levels"].items())
        + ".",
        f"Rewritten before they ran: {', '.join(added)}.",
        "What the cells are made of:",
        "\n".join(f"- {line}" for line in listed),
        (
            f"{CHUNK} cells to a translation unit; of every {OPTIMISED} units one "
            "compiled with -O1 and the others with -O0 in place of -O2, and with "
            "functions called rather than inlined: what is tested here is what is "
            "printed, and the library's cells are tested as they are built. "
            f"{found['seconds_a_cell']:.2f} s a cell, drawing left out. "
            f"{found['compiler']}, torch {found['torch']}."
        ),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _sorted(decades: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(decades.items(), key=lambda item: float(item[0]))


def _verdict(found: Mapping[str, Any]) -> str:
    lines = [
        "| cells | different | undecided | median error | largest error | bound |",
        "|---:|---:|---:|---:|---:|---:|",
        (
            f"| {found['cells']:,} | {len(found['different'])} | "
            f"{len(found['undecided'])} | {found['median_error']:.0e} | "
            f"{found['largest_error']:.0e} | {found['bound']:.0e} |"
        ),
        "",
        (
            "An error is the largest of a cell. Undecided is a cell whose reference "
            "leaves the bound itself when its arguments move by 1e-13: an exact tie of "
            "`maximum`, or what jumps after `layer_norm` of equal entries."
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
