"""Compare layers on kernels with the float64 reference, over all shapes.

``PYTHONPATH=tests python studies/parity.py`` writes ``parity.md`` and ``parity.json``
beside it. It takes hours and can be stopped at any time: what was compared is kept in
``parity_units.jsonl``, and the same command goes on from there, on any machine, as long
as the library's kernels have the same C. The tests run a pairwise cover of the same
cases, which `tests/parity_cases.py` says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from random import Random
from textwrap import fill
from typing import Any

import torch

from cellwright.backends.c.levels import LEVELS
from cellwright.backends.c.source import outer_text
from cellwright.backends.c.toolchain import find_compiler
from cellwright.cells import load
from cellwright.compiler.plan import pipeline, source
from cellwright.ir.graph import Graph
from cellwright.passes.rewrite import Rewrites, rewrite
from cellwright.passes.simplify import without_first_weights
from parity_cases import FACTORS, Case, at_level, case_of, compared, undecided, zoned
from resumable import finish

HERE = Path(__file__).parent
WHAT = ("cell", "dtype", "H")
"""One unit for each combination of these."""
THREADS = 2
"""Of the kernels: two products that were added to one matrix at a time once went wrong
where the second thread was late, and only there."""
SHAPES = ("T", "B", "I", "num_layers", "bidirectional")
SWITCHES = ("level", "hx", "lengths", "reset", "mask", "zoneout")
VARIANTS = ("mask", "reset", "zoneout")
"""The switches that make a kernel of their own; lengths are a mask."""
SMALL = {"T": 33, "B": 5, "I": 2, "H": 7, "num_layers": 2, "bidirectional": True}

INTRODUCTION = """\
Made by `PYTHONPATH=tests python studies/parity.py`. Every cell in both dtypes in all
shapes ({shapes}), each with the switches drawn, and with all combinations of the
switches ({switches}) at {small}.

Each case compares the output, the last states and the gradient of x, of the first
states, of further inputs and of every parameter with the reference in float64: max |a -
b| / max(1, max |b|). The bound is 1e-11 in float64; in float32 it is 1e-5, or four
times what the reference in float32 is away from float64, whichever is larger. That a
kernel ran is asserted; it has {threads} threads. Undecided is a case that is beyond its
bound, but no further from float64 than four times the reference in its dtype, the
largest of 32 runs in which all it is given moves by a unit in its last place: beside
the kink of a relu, where a neuron is about to fire, or in a layer norm of almost equal
entries, a single run says little about what rounding does."""


def main() -> None:
    """Run the study, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    # Threads of several processes that wait for one another by turning round take the
    # cores from those that work: four times as long, on two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    work = HERE / "parity_units.jsonl"
    kernels = digest_of_kernels()
    units = [f"{' '.join(map(str, row))} {kernels}" for row in product(*_values(WHAT))]
    found = study(finish(work, units, compare_unit, options.jobs, said))
    text = json.dumps(found, indent=2) + "\n"
    (HERE / "parity.json").write_text(text, encoding="utf-8")
    page = report(found)
    (HERE / "parity.md").write_text(page, encoding="utf-8")
    print(page)


def digest_of_kernels() -> str:
    """Return what names the C of all kernels here: others are compared anew."""
    total = hashlib.sha256()
    for level, double in product(LEVELS, (False, True)):
        own = outer_text(double, level.vector_bytes, level.accumulators)
        total.update(own.encode())
    for name, *switches in product(FACTORS["cell"], *_values(VARIANTS)):
        passes = pipeline(_variant(name, *switches))
        for direction, step in (
            ("forward", passes.forward),
            ("backward", passes.backward),
        ):
            assert step is not None
            own = source(load(name).graph, step, direction)
            for level, double in product(LEVELS, (False, True)):
                text = own.text(double, level.vector_bytes, level.accumulators)
                total.update(text.encode())
    return total.hexdigest()[:12]


def _variant(name: str, mask: bool, reset: bool, zoneout: bool) -> Graph:
    """Return the graph that a layer with such switches runs."""
    graph = load(name).graph
    states = tuple(sorted(zoned(graph))) if zoneout else ()
    return without_first_weights(rewrite(graph, Rewrites(mask, reset, states)))


def said(rows: Iterable[dict[str, Any]]) -> str:
    """Return what to show while the study runs."""
    return f"{sum(len(row['too far']) for row in rows)} too far"


def _values(names: Iterable[str]) -> Iterator[Sequence[Any]]:
    return (FACTORS[name] for name in names)


def cases_of(unit: str) -> list[Case]:
    """Return all shapes, each with drawn switches, and all switches at small sizes."""
    cell, dtype, width, _ = unit.split()
    fixed = {"cell": cell, "dtype": dtype, "H": int(width)}
    draws = Random(f"{cell} {dtype} {width}")
    rows = [
        {
            **fixed,
            **dict(zip(SHAPES, shape, strict=True)),
            **{name: draws.choice(FACTORS[name]) for name in SWITCHES},
        }
        for shape in product(*_values(SHAPES))
    ]
    if fixed["H"] == SMALL["H"]:
        rows += [
            {**fixed, **SMALL, **dict(zip(SWITCHES, switches, strict=True))}
            for switches in product(*_values(SWITCHES))
        ]
    asked = FACTORS["x_grad"]
    return [case_of({**row, "x_grad": draws.choice(asked)}) for row in rows]


def compare_unit(unit: str) -> dict[str, Any]:
    """Compare the cases of one unit, level by level."""
    torch.set_num_threads(THREADS)
    cases = cases_of(unit)
    largest: dict[str, float] = {}
    too_far: dict[str, dict[str, tuple[float, float]]] = {}
    open_questions: list[str] = []
    for level in FACTORS["level"]:
        with at_level(level):
            for case in [case for case in cases if case.level == level]:
                found = compared(case)
                far = {
                    n: (e, bound) for n, (e, bound) in found.items() if not e <= bound
                }
                if far and undecided(case, far):
                    open_questions.append(str(case))
                    continue
                too_far |= {str(case): far} if far else {}
                for name, (error, _) in found.items():
                    kind = _kind(name)
                    largest[kind] = max(largest.get(kind, 0.0), error)
    counts: Counter[str] = Counter()
    for case in cases:
        counts.update(
            [f"level {case.level}", *(s for s in SWITCHES[1:] if getattr(case, s))]
        )
    return {
        "cases": len(cases),
        "counts": dict(counts),
        "largest": largest,
        "too far": too_far,
        "undecided": open_questions,
    }


def _kind(name: str) -> str:
    """Return what a tensor is: an output, a last state, or a gradient."""
    words = {"output": "outputs", "last": "last states", "gradient": "gradients"}
    return words[name.split()[0]]


def study(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Gather all units, by cell and dtype."""
    names = product(*_values(WHAT))
    cells: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    for (cell, dtype, _), row in zip(names, rows, strict=True):
        counts.update(row["counts"])
        kept = cells.setdefault(
            f"{cell} {dtype}", {"cases": 0, "too far": {}, "undecided": []}
        )
        kept["cases"] += row["cases"]
        kept["too far"] |= row["too far"]
        kept["undecided"] += row["undecided"]
        for kind, error in row["largest"].items():
            kept[kind] = max(kept.get(kind, 0.0), error)
    compiler = find_compiler()
    return {
        "cells": cells,
        "counts": dict(sorted(counts.items())),
        "compiler": "" if compiler is None else compiler.identity,
        "torch": torch.__version__,
    }


def report(found: Mapping[str, Any]) -> str:
    """Return the study as a Markdown page."""
    cells = found["cells"]
    cases = sum(row["cases"] for row in cells.values())
    shapes = "; ".join(
        f"{name}: {', '.join(map(str, FACTORS[name]))}" for name in ("H", *SHAPES)
    )
    small = ", ".join(f"{name}={value}" for name, value in SMALL.items())
    said = INTRODUCTION.format(
        shapes=shapes, switches=", ".join(SWITCHES), small=small, threads=THREADS
    )
    introduction = [" ".join(text.split()) for text in said.split("\n\n")]
    kinds = ("outputs", "last states", "gradients")
    lines = [
        f"# {cases:,} layers on kernels against the float64 reference",
        "",
        *(line for text in introduction for line in (*fill(text, 88).splitlines(), "")),
        "| cell | dtype | cases | too far | undecided | " + " | ".join(kinds) + " |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in cells.items():
        errors = " | ".join(f"{row[kind]:.0e}" for kind in kinds)
        head = " | ".join(name.split())
        counted = f"{row['cases']} | {len(row['too far'])} | {len(row['undecided'])}"
        lines.append(f"| {head} | {counted} | {errors} |")
    counts = ", ".join(f"{name} {n:,}" for name, n in found["counts"].items())
    lines += [
        "",
        "The last columns are the largest errors met, undecided cases left out.",
        "",
        fill(f"Cases by level and switch: {counts}.", 88),
        "",
        f"{found['compiler']}, torch {found['torch']}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
