"""Write docs/performance.md and the README's table of speeds, from results.json.

cellwright bench --out benchmarks     measures and writes results.json
python benchmarks/page.py             writes the pages
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from cellwright.bench.registry import (
    BOTH,
    C_STEP,
    CACHED,
    CASES,
    COLD,
    COMPILED,
    FORWARD,
    LOOP,
    ONNX,
    OURS,
    OWN,
    PACKED,
    PADDED,
    STEPS,
    TORCH,
)
from cellwright.bench.report import rule_table, table
from cellwright.bench.rules import MEAN, RATIO, answers
from cellwright.bench.summary import (
    digits,
    groups,
    median,
    notes,
    time_words,
)
from cellwright.bench.text import busy_rows, interval_words, machine_words
from cellwright.cells import find
from cellwright.passes.residuals import FUNCTIONS
from page_texts import ATTEMPTS, HALVES_WORDS, LIMITS, SMALLER_WORDS, TRIED

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
ELSEWHERE = (
    ("AVX-512 in two halves", "x86-64-v4-zen4", HALVES_WORDS),
    ("Without AVX-512", "x86-64-v3", SMALLER_WORDS),
)
"""Sections on other machines: title, folder of the results, what to say of them."""
PAGE = HERE.parent / "docs" / "performance.md"
README = HERE.parent / "README.md"
HEADLINE = re.compile(
    r"^\| forward and backward, \d+ steps, .*\n(\|.*\n)*", re.MULTILINE
)
sys.path.append(str(HERE.parent / "studies"))

import scan_page  # noqa: E402  # a study's own page lies beside the study

Row = Mapping[str, Any]


def row_of(results: Mapping[str, Any], case: str, what: str, **axes: int) -> Row:
    """Return the one row of a case that has given values on its axes."""
    found = [
        row
        for row in results["rows"]
        if (row["case"], row["what"]) == (case, what)
        and all(row[axis] == value for axis, value in axes.items())
    ]
    (row,) = found
    return row


def time_of(row: Row, name: str) -> float:
    """Return the median time of a contender that has to be there, in seconds."""
    found = median(row, name)
    assert found is not None, f"{name} has no figure in {row}"
    return found


def in_short(rows: Sequence[Row]) -> list[str]:
    """Return how fast the layers are in a small table: the means that are asked for."""
    found = [
        (answer.rule.name.removesuffix(f", {MEAN}"), digits(answer.value.value))
        for answer in answers(rows)
        if answer.value
        and (answer.rule.measure, answer.rule.statistic) == (RATIO, MEAN)
    ]
    return table(
        ("geometric means over 1 to 64 rows, 32 to 512 units", "times as fast"),
        found,
        1,
    )


def headline(results: Mapping[str, Any]) -> str:
    """Return the README's table: its own cell beside what else one could do."""
    what = f"forward and backward, {STEPS} steps, ms"
    lines = [
        f"| {what} | `mine.cell` | the same as a PyTorch loop | torch.nn.LSTM |",
        "|---|---:|---:|---:|",
    ]
    for shape in OWN:
        row = row_of(results, "mine", BOTH, B=shape.B, H=shape.H)
        ours, loop, lstm = (1e3 * time_of(row, n) for n in (OURS, LOOP, TORCH))
        lines.append(
            f"| batch of {shape.B}, {shape.H} units | **{digits(ours)}** | "
            f"{digits(loop)} | {digits(lstm)} |"
        )
    return "\n".join([*lines, ""])


def page(results: Mapping[str, Any]) -> str:
    """Return docs/performance.md."""
    m, rows = results["machine"], results["rows"]
    lines = ["# Performance", ""]
    lines += in_short(rows)
    lines += scan_page.paragraphs(
        f"""What was measured, also where we lose: {machine_words(m)} float32; medians
        of {m["turns"]} turns, all contenders of a row in turn in one process with the
        same threads. A ratio is the peer's time over ours at each turn: above 1 we are
        faster; in brackets 95 % of what resampled turns give. Each contender's numbers
        are compared before it is timed.""",
        """B is the number of rows of a batch, T of steps, I of inputs, H of units.
        Forward is without gradients, in `torch.inference_mode`; forward and backward
        takes the gradients of all weights, and not of the input. Milliseconds of two
        tables, or of one cell with as many inputs as units and with two, are of
        different work. What is asked is what this project set out to reach, over the 30
        rows of 100 steps; the means of all rows have a few shorter and longer ones.""",
        """`cellwright bench --out benchmarks` measures all of it anew, and
        `cellwright bench my.cell` your own cell. Every row and the pictures are in
        `benchmarks/`.""",
        """The peer of lstm, gru and elman is torch.nn's layer. The others have none in
        torch: theirs is a loop of torch's operations as one writes it by hand
        (`src/cellwright/bench/loops.py`), not the reference backend. `mine` is the cell
        of the README. Our LSTM beside another cell: our time for a multiply-add of that
        cell over the one of our LSTM, so that less is better. A share of sgemm is of
        the best product that was timed in the same row.""",
    )
    if busy := busy_rows(rows):
        lines += scan_page.paragraphs(f"**{busy}**")
    lines += ["## Means and worst points", ""]
    heads = ("cell", "beside", "geometric mean", "worst", "at", "rows")
    layers = [g for g in groups(rows) if CASES[g.case].kind == "layer"]
    lines += table(
        heads,
        [
            (
                group.title,
                line.label,
                interval_words(line.mean),
                digits(line.worst.value),
                line.at,
                str(line.rows),
            )
            for group in layers
            for line in group.lines
        ],
        6,
    )
    if told := notes(rows):
        lines += [*(f"* {note}" for note in told), ""]
    lines += ["## What is asked", "", *rule_table(answers(rows))]
    lines += ["## How far it could go", "", *ceilings(results)]
    for title, folder, words in ELSEWHERE:
        lines += [f"## {title}", "", *elsewhere(HERE / folder / RESULTS.name, words)]
    lines += ["## What was tried", "", *scan_page.paragraphs(*TRIED)]
    lines += table(("what", "on", "what came of it", ""), ATTEMPTS, 4)
    for what in (FORWARD, BOTH):
        lines += [f"## {what.capitalize()}", "", *times(rows, what)]
    lines += [*growth(rows), *stream(rows), *lengths(results)]
    lines += ["## On a busy machine", "", *BUSY_MACHINE]
    lines += scan_page.section(scan_page.results())
    return "\n".join([*lines, *first_call(results)])


def functions_of(cell: str) -> int:
    """Return how many functions of a unit a step takes, as of exp or tanh."""
    nodes = find(cell).graph.nodes
    return sum(FUNCTIONS.get(node.op, 0) for node in nodes if node.shape)


def ceilings(results: Mapping[str, Any]) -> list[str]:
    """Return what each mean would be if our products ran at the rate of a core."""
    rows, cores = results["rows"], results["machine"]["threads"]
    rate = PEAK * cores
    found: list[tuple[str, ...]] = []
    for case, what, peer in BESIDE:
        known: list[tuple[float, ...]] = []
        gate = functions_of(case) * FUNCTION / cores
        apart = OF_TORCH if what == BOTH else 0
        for row in rows:
            if (row["case"], row["what"], row["T"]) != (case, what, STEPS):
                continue
            theirs, own = median(row, peer), median(row, OURS)
            if theirs is not None and own is not None:
                limit = row["work"][OURS] / rate
                gates = gate * row["T"] * row["B"] * row["H"]
                least, more = min(own, limit), min(own, limit + gates + apart)
                times = (least, more) if row["B"] > 1 else (own, own)
                known.append(tuple(theirs / time for time in (own, *times, least)))
        if known:
            columns = [*zip(*known, strict=True)]
            means = (digits(geometric_mean(each)) for each in columns)
            worst = digits(min(columns[-1]))
            found.append((f"{case}, {what}", peer, *means, worst, str(len(known))))
    heads = (
        *("cell", "beside", "ours", "more rows than one at the limit"),
        *("with functions and torch's own", "all at the limit", "worst at the limit"),
        "rows",
    )
    return [*scan_page.paragraphs(*LIMITS), *table(heads, found, 8)]


def elsewhere(path: Path, words: Sequence[str]) -> list[str]:
    """Return what is asked, and was measured on another machine.

    Args:
        path: of the results of that machine.
        words: what to say of it.
    """
    results = json.loads(path.read_text(encoding="utf-8"))
    rows = results["rows"]
    cases = dict.fromkeys(row["case"] for row in rows)
    which = "all cases" if cases.keys() == CASES.keys() else ", ".join(cases)
    measured = f"{machine_words(results['machine'])} {len(rows)} rows of {which}."
    asked = rule_table([each for each in answers(rows) if each.rows])
    return [*scan_page.paragraphs(measured, *words), *asked]


def times(rows: Sequence[Row], what: str) -> list[str]:
    """Return the times of all cells that have a peer of their own, milliseconds."""
    peers = {
        name: next((p for p in case.peers if p in (LOOP, TORCH)), "")
        for name, case in CASES.items()
        if case.kind == "layer"
    }
    found: list[tuple[str, ...]] = []
    for row in rows:
        peer = peers.get(row["case"])
        square = row["I"] == row["H"] and row["T"] == STEPS
        if row["what"] != what or not peer or not square or row["H"] not in (64, 256):
            continue
        theirs, ours = median(row, peer), median(row, OURS)
        if theirs is not None and ours is not None:
            ratio = f"{theirs / ours:.2f}"
            said = (f"{digits(1e3 * theirs)} ({peer})", digits(1e3 * ours), ratio)
            found.append((row["case"], str(row["B"]), str(row["H"]), *said))
    lines = scan_page.paragraphs(f"Milliseconds for {STEPS} steps, I=H.")
    heads = ("cell", "B", "H", "peer", "ours", "ratio of the medians")
    return [*lines, *table(heads, found, 1)]


def growth(rows: Sequence[Row]) -> list[str]:
    """Return our LSTM's time for a step and row: the cost is linear in both."""
    found: list[tuple[str, ...]] = []
    for row in rows:
        ours = median(row, OURS)
        square = row["I"] == row["H"] == GROWN
        if row["case"] != "lstm" or not square or ours is None:
            continue
        each = 1e6 * ours / row["T"]
        sizes = (str(row["B"]), str(row["T"]))
        figures = (digits(1e3 * ours), digits(each), digits(each / row["B"]))
        found.append((row["what"], *sizes, *figures))
    found.sort(key=lambda line: (line[0], int(line[1]), int(line[2])))
    heads = ("what", "B", "T", "ms", "µs a step", "µs a step and row")
    return [
        "## Growth",
        "",
        *scan_page.paragraphs(*GROWTH),
        *table(heads, found, 1),
    ]


def stream(rows: Sequence[Row]) -> list[str]:
    """Return the section on a stream's step."""
    lines = ["## A step of a stream", ""]
    lines += scan_page.paragraphs(
        """`cw.Stream.step` on NumPy, one row, as many inputs as units; torch.nn's layer
        with T=1; and the compiled function that a step is, called from C."""
    )
    heads = ("layer", "units", "stream", "torch.nn", "C function")
    found = [
        (
            row["case"].removeprefix("stream_").upper(),
            str(row["H"]),
            *(time_words(time_of(row, name)) for name in (OURS, TORCH, C_STEP)),
        )
        for row in rows
        if CASES[row["case"]].kind == "stream"
    ]
    return [*lines, *table(heads, found, 1)]


def lengths(results: Mapping[str, Any]) -> list[str]:
    """Return the section on sequences of different lengths."""
    row = row_of(results, "lengths", BOTH)
    names = (PADDED, OURS, PACKED)
    padded, ours, packed = (1e3 * time_of(row, name) for name in names)
    return [
        "## Sequences of different lengths",
        "",
        *scan_page.paragraphs(
            f"""LSTM, forward and backward, B={row["B"]}, T={row["T"]}, I={row["I"]},
            H={row["H"]}, lengths from {row["T"] // 2} to {row["T"]}:
            {digits(padded)} ms for the padded batch, {digits(ours)} ms with `lengths=`
            ({ours / padded:.2f} times), {digits(packed)} ms on torch's packed path
            ({packed / ours:.1f} times ours)."""
        ),
    ]


def first_call(results: Mapping[str, Any]) -> list[str]:
    """Return the section on the first call of a cell."""
    row = row_of(results, "first_use", "first use")
    cold, cached = (time_words(time_of(row, name)) for name in (COLD, CACHED))
    return [
        "## The first call",
        "",
        *scan_page.paragraphs(
            f"""A cell that this machine has not seen is compiled when it is first
            called: {cold} for peephole_lstm, forward and backward, then never again,
            whatever B, T and the number of threads ({row["counts"]["rebuilt"]} kernels
            were built for others). A layer whose input asks for a gradient too, as any
            above another one, takes one backward kernel more. From the cache the first
            call of a process takes {cached} more than the second."""
        ),
    ]


BESIDE = (
    ("lstm", FORWARD, TORCH),
    ("lstm", FORWARD, ONNX),
    ("lstm", BOTH, TORCH),
    ("gru", BOTH, TORCH),
    ("elman", FORWARD, TORCH),
    ("elman", BOTH, TORCH),
    ("peephole_lstm", BOTH, LOOP),
    ("peephole_lstm", BOTH, COMPILED),
    ("slstm", BOTH, LOOP),
    ("lstm_norm_joint", BOTH, LOOP),
)
"""The means that are asked for, by cell, what is timed, and the peer."""
PEAK = 133e9
"""Multiply-adds of a core in a second, where it does nothing else, in registers."""
FUNCTION, OF_TORCH = 1.7e-9 / 16, 50e-6
"""Seconds of a function of one number on a core, and of a training step that are
torch's own; all three measured by hand on the machine of the results."""
GROWN = 64
"""Units and inputs of the table of growth."""
GROWTH = (
    f"""Time grows with the steps, but for what a call itself takes, and with the rows
    from some 16 on: a single row reads every weight for itself alone. From some
    thousand steps on what is kept for the backward pass is in no cache any more, and a
    step takes a little longer than one of a hundred. An LSTM of I=H={GROWN}. Memory of
    a training step grows with T as long as the graph does: truncated BPTT bounds it
    ([100,000 steps and more](training.md)), and `memory="recompute"` keeps a
    three-hundredth of it or less, for one more forward pass ([priced](memory.md)).""",
)
BUSY_MACHINE = scan_page.paragraphs(
    """Kernels share out their work among torch's own OpenMP threads. Where other
    processes want the same cores, a thread that waits for another one spins, and two
    threads may take far longer than one. Beside this project's own tests on both
    cores, an LSTM of 64 units took 44 to 48 ms for 100 steps at B=16, forward and
    backward; 2.2 to 2.8 ms with `OMP_WAIT_POLICY=passive` in the environment, and 2.1
    to 2.5 ms after `torch.set_num_threads(1)` (medians of 60, three times; torch.nn's
    LSTM: 1.9 to 7.2, 5.3 to 5.9 and 1.4). A single long sequence is concerned too: of
    256 units it took 16 ms with two threads and 1.8 with one (torch.nn: 820 with
    two). On a machine that you share, set one of them.""",
    """The second one costs less where nothing else runs: with the policy a thread is
    woken for every call, also for those of one row that come soon behind one another,
    and an LSTM of 64 units and one row takes 1.1 to 1.2 times as long forward as with
    one thread.""",
)
"""Measured by hand; the first, on a machine that was busy on purpose."""


def main() -> None:
    """Write the page and the README's table."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(results), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    changed, count = HEADLINE.subn(lambda _: headline(results), readme)
    assert count == 1, f"{README} has {count} tables of speeds; one is written"
    README.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
