"""What studies/scan.py found: its own page, and a section of docs/performance.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "scan.json"
PAGE = HERE / "scan.md"
FORWARD, BOTH = "forward", "forward and backward"
WORTH = 1.3
"""How much faster a whole cell has to be for a second way to compute it."""

Row = Mapping[str, Any]


def results() -> dict[str, Any]:
    """Return the committed measurements."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def ratios(rows: Iterable[Row], what: str, name: str) -> list[float]:
    """Return a ratio of all rows that have it: medians of turns."""
    return [row[what][name][0] for row in rows if what in row]


def undisturbed(rows: Iterable[Row], what: str, one: int, other: int) -> list[float]:
    """Return the ratios of the fastest tenth of each contender's turns."""
    times = [row[what]["undisturbed"] for row in rows if what in row]
    return [found[one] / found[other] for found in times]


def mean(values: Sequence[float]) -> float:
    """Return the geometric mean, as ratios want it."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def paragraphs(*texts: str) -> list[str]:
    """Return the lines of paragraphs, an empty one behind each."""
    filled = [fill(" ".join(text.split()), 88) for text in texts]
    return [line for text in filled for line in (*text.splitlines(), "")]


def worth(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in which the scan is worth it, by its whole interval."""
    return [
        row
        for row in rows
        for what in (FORWARD, BOTH)
        if what in row and row[what]["scan's own"][1] >= WORTH
    ]


def section(found: Mapping[str, Any]) -> list[str]:
    """Return the section of docs/performance.md."""
    rows = found["rows"]
    one = [row for row in rows if row["B"] == 1]
    forward, both = (ratios(rows, what, "scan's own") for what in (FORWARD, BOTH))
    best = [undisturbed(rows, what, 1, 2) for what in (FORWARD, BOTH)]
    products = [ratios(one, what, "products") for what in (FORWARD, BOTH)]
    cells = ", ".join(dict.fromkeys(row["cell"] for row in rows))
    m = found["machine"]
    good = len(worth(rows))
    lines = ["## A scan over time, and why there is none", ""]
    lines += paragraphs(
        f"""The state of some cells is a linear function of the state before
        (h = a h + b), and so is every backward step of the elementwise ones. Such steps
        can be run in chunks of time, one on each core, and mended afterwards. We
        measured whether that pays ({cells}; T 4,096 and 16,384, B 1 and 4, H 32, 128
        and 512, but not all three largest at once, float32, {m["threads"]} threads):
        the same C with a plain loop and with a scan in two chunks (`studies/scan.c`),
        the products with x done before in both.""",
        f"""The loop's time over the scan's, whole cells: {mean(forward):.2f} forward
        and {mean(both):.2f} forward and backward (geometric means of
        {len(forward)} and {len(both)} settings, from {min(forward + both):.2f} to
        {max(forward + both):.2f}); by the fastest tenth of the turns
        {mean(best[0]):.2f} and {mean(best[1]):.2f}. The interval lies above
        {WORTH:g} in {good} of {len(forward) + len(both)}. So there is no scan.""",
        """Why: once the gates are known, a step is one multiply-add an entry, and what
        it waits for is memory. The scan goes through the states twice, writes a second
        array as large (the products of a), and reads the gates twice where the output
        or the gradient needs them. Two cores are not enough to win that back, and where
        there are several rows both are at work already. With many more cores and one
        long row it may be otherwise; the study is there to ask again.""",
        f"""What does pay for one long row is to do the products with x before the
        loop: at B=1 the prototype's plain loop was {mean(products[0]):.1f} times as
        fast forward, and {mean(products[1]):.1f} times forward and backward, as a
        kernel that did them step by step. Kernels do them for a block of steps at once
        now; the numbers of this section are from before.""",
        f"""The machine was not idle: load {m["load"][0]:g} at the beginning and
        {m["load"][1]:g} at the end, on {m["cores"]} cores. The contenders of a turn ran
        one after the other, ratios are medians of the turns' ratios. A second thread
        that has to share its core brings less than on an idle machine, so this decides
        for a machine at work; on an idle one it is to be measured again. All rows,
        with their intervals: `studies/scan.md`.""",
    )
    return lines


def page(found: Mapping[str, Any]) -> str:
    """Return the study's own page."""
    m = found["machine"]
    lines = ["# A scan in chunks of time, beside the loop over the steps", ""]
    lines += paragraphs(
        f"""Made by `python studies/scan.py` on {m["processor"]}, {m["cores"]} cores,
        {m["threads"]} threads, torch {m["torch"]}, `OMP_WAIT_POLICY=passive`, at a load
        of {m["load"][0]:g} to {m["load"][1]:g} by others.""",
        """*kernel* is the layer on its generated kernel; *loop* the prototype of
        `studies/scan.c`, products with x before the loop; *scan* the same in two
        chunks. Milliseconds are medians. *kernel/loop* says what the products bring,
        *loop/scan* what the scan brings: medians of the turns' ratios, in brackets 95 %
        of the bootstrap's. *undisturbed* is loop/scan by the fastest tenth of the turns
        of each. Turns are marked with a * where others wanted a core in nearly
        all.""",
    )
    for what in (FORWARD, BOTH):
        lines += [f"## {what.capitalize()}", ""]
        lines += [
            f"| cell | H | B | T | turns | {' | '.join(SHOWN)} |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in (row for row in found["rows"] if what in row):
            one = row[what]
            turns = f"{one['kept']}{'' if one['quiet'] else '*'}"
            times = " | ".join(f"{one[n]:.3g}" for n in ("kernel", "loop", "scan"))
            (least,) = undisturbed([row], what, 1, 2)
            lines.append(
                f"| {row['cell']} | {row['H']} | {row['B']} | {row['T']:,} | {turns} | "
                f"{times} | {_shown(one['products'])} | {_shown(one[OWN])} | "
                f"{least:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


OWN = "scan's own"


SHOWN = ("kernel", "loop", "scan", "kernel/loop", "loop/scan", "undisturbed")


def _shown(interval: Sequence[float]) -> str:
    middle, low, high = interval
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
