"""What is asked of the rows, one line each, and what the rows answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .intervals import Interval, mean_interval, median_interval
from .registry import (
    BOTH,
    C_STEP,
    CACHED,
    COLD,
    COMPILED,
    FIRST_USE,
    FORWARD,
    LOOP,
    ONE_PRODUCT,
    ONNX,
    OUR_LSTM,
    OURS,
    PADDED,
    SGEMM,
    STEP,
    STEPS,
    TORCH,
)

Row = Mapping[str, Any]

RATIO, PER_WORK, SHARE, TIME, COUNT = (
    "ratio",
    "time per multiply-add",
    "share of sgemm",
    "time",
    "count",
)
MEAN, WORST = "geometric mean", "worst"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked of the rows of some cases.

    Args:
        name: what it says.
        cases: whose rows.
        what: which direction.
        measure: RATIO is the other's time over ours; PER_WORK ours over the other's,
            each by its multiply-adds; SHARE our rate over that of the best sgemm; TIME
            seconds; COUNT kernels that were built.
        statistic: over the rows.
        other: beside whom; of TIME and COUNT, whose.
        bound: what is asked; None where the figure alone is wanted.
        only: values of axes, where not every row counts.
        unit: of the value.
    """

    name: str
    cases: tuple[str, ...]
    what: str
    measure: str
    statistic: str
    other: str
    bound: float | None = None
    only: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: GRID)
    unit: str = ""

    @property
    def asked(self) -> str:
        """What is asked, in the unit; empty where nothing is."""
        if self.bound is None:
            return ""
        return f"{self.bound * SCALE[self.unit]:.4g} {self.unit}".rstrip()

    @property
    def at_least(self) -> bool:
        """Whether more is better."""
        return self.measure in (RATIO, SHARE)

    def takes(self, row: Row) -> bool:
        """Tell whether a row counts."""
        return (
            row["case"] in self.cases
            and row["what"] == self.what
            and all(row[axis] in values for axis, values in self.only.items())
        )


GRID: Mapping[str, tuple[int, ...]] = {"T": (STEPS,)}
ANY: Mapping[str, tuple[int, ...]] = {}
WITH_ONE_PRODUCT = (
    *("gru", "elman", "peephole_lstm", "slstm", "lstm_norm_joint", "mine"),
    *ONE_PRODUCT,
)
"""Cases of cells with one recurrent product a gate, beside the LSTM itself."""


def _ratios(
    name: str,
    case: str,
    what: str,
    other: str,
    mean: float,
    worst: float = 1.0,
) -> tuple[Rule, Rule]:
    """Return the rules of the mean and of the worst point, beside a peer."""
    first, second = (
        Rule(f"{name}, {statistic}", (case,), what, RATIO, statistic, other, bound)
        for statistic, bound in ((MEAN, mean), (WORST, worst))
    )
    return first, second


def _limit(name: str, case: str, what: str, units: int, bound: float) -> Rule:
    return Rule(
        f"{name}, B=64, I=H={units}, share of sgemm",
        (case,),
        what,
        SHARE,
        WORST,
        SGEMM,
        bound,
        {**GRID, "B": (64,), "I": (units,), "H": (units,)},
        "%",
    )


def _time(
    name: str, case: str, what: str, other: str, unit: str, bound: float | None = None,
    **only: Any,
) -> Rule:  # fmt: skip
    """Return the rule of a time; the bound is in the unit."""
    axes = {axis: (value,) for axis, value in only.items()}
    seconds = None if bound is None else bound / SCALE[unit]
    return Rule(name, (case,), what, TIME, WORST, other, seconds, axes, unit)


SCALE = {"": 1.0, "%": 100.0, "s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9}
C_STEP_NS = {16: 0.85 * 119, 32: 0.75 * 431, 64: 0.75 * 1734}
"""By units. What RTNeural's LSTM takes (xsimd, AVX2, fast maths) on a machine such as
the one that these lines were written for, and the share of it that is asked."""

RULES: tuple[Rule, ...] = (
    *_ratios("LSTM forward beside nn.LSTM", "lstm", FORWARD, TORCH, 1.5, 0.97),
    *_ratios("LSTM forward beside ONNX Runtime", "lstm", FORWARD, ONNX, 1.2, 0.97),
    *_ratios("LSTM fwd+bwd beside nn.LSTM", "lstm", BOTH, TORCH, 1.5),
    *_ratios("GRU fwd+bwd beside nn.GRU", "gru", BOTH, TORCH, 5.0),
    *_ratios("Elman forward beside nn.RNN", "elman", FORWARD, TORCH, 5.0),
    *_ratios("Elman fwd+bwd beside nn.RNN", "elman", BOTH, TORCH, 5.0),
    *_ratios(
        "peephole LSTM fwd+bwd beside its loop", "peephole_lstm", BOTH, LOOP, 12.0
    ),
    *_ratios(
        "peephole LSTM fwd+bwd beside torch.compile", "peephole_lstm", BOTH, COMPILED,
        4.0, 4.0,
    ),
    *_ratios(
        "lstm_norm_joint fwd+bwd beside its loop", "lstm_norm_joint", BOTH, LOOP, 10.0
    ),
    *_ratios("slstm fwd+bwd beside its loop", "slstm", BOTH, LOOP, 10.0),
    *(
        Rule(
            f"one product a gate, {what}, time per multiply-add over our LSTM's, "
            f"{statistic}",
            WITH_ONE_PRODUCT,
            what,
            PER_WORK,
            statistic,
            OUR_LSTM,
            1.25,
        )
        for what in (FORWARD, BOTH)
        for statistic in (MEAN, WORST)
    ),
    *(
        _limit(f"{name} {short}", case, what, units, bound)
        for name, case in (
            ("LSTM", "lstm"),
            ("GRU", "gru"),
            ("peephole LSTM", "peephole_lstm"),
        )
        for short, what in (("forward", FORWARD), ("fwd+bwd", BOTH))
        for units, bound in ((256, 0.85), (512, 0.95))
    ),
    *(
        rule
        for h in (16, 32, 64)
        for cell, shown, asked, ratio, ns in (
            ("lstm", "LSTM", 5.0, 15.0, C_STEP_NS[h]),
            ("gru", "GRU", 5.0, None, None),
        )
        for rule in (
            _time(
                f"a stream's step, {shown} of {h}, NumPy",
                f"stream_{cell}", STEP, OURS, "µs", asked, H=h,
            ),
            Rule(
                f"a stream's step, {shown} of {h}, beside nn.{shown} with T=1",
                (f"stream_{cell}",), STEP, RATIO, WORST, TORCH, ratio, {"H": (h,)},
            ),
            _time(
                f"a stream's step, {shown} of {h}, the C function",
                f"stream_{cell}", STEP, C_STEP, "ns", ns, H=h,
            ),
        )
    ),
    Rule(
        "lengths= beside the padded batch", ("lengths",), BOTH, RATIO, WORST, PADDED,
        only=ANY,
    ),
    _time("first use of a cell, built", "first_use", FIRST_USE, COLD, "s", 2.0),
    _time("first use in a process, kept", "first_use", FIRST_USE, CACHED, "ms", 30.0),
    Rule(
        "kernels built for another B, T or thread count", ("first_use",), FIRST_USE,
        COUNT, WORST, "rebuilt", 0.0, ANY,
    ),
)  # fmt: skip
"""The acceptance lines, in the order in which the report has them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rows say to a rule.

    Args:
        rule: the rule.
        value: with its interval, in the rule's unit; None where no row counts.
        rows: how many rows counted.
        at: the row that is the worst.
        wrong: rows that count and have no figure, because a result was wrong.
    """

    rule: Rule
    value: Interval | None
    rows: int
    at: str
    wrong: int

    @property
    def met(self) -> bool | None:
        """Whether the bound is met; None where there is none, or nothing to judge."""
        rule, value = self.rule, self.value
        if self.wrong:
            return False
        if value is None or rule.bound is None:
            return None
        bound = rule.bound * SCALE[rule.unit]
        return value.value >= bound if rule.at_least else value.value <= bound


def values(row: Row, measure: str, other: str) -> Sequence[float] | None:
    """Return what a measure says at each turn of a row; None where it says nothing.

    Args:
        row: a row of the results.
        measure: see `Rule`.
        other: beside whom, or whose.
    """
    if measure == COUNT:
        return None if other not in row["counts"] else [row["counts"][other]]
    seconds, work = row["seconds"], row["work"]
    if measure == SHARE:
        other = _best_sgemm(row) or other
    if other not in seconds:
        return None
    theirs = np.array(seconds[other])
    if measure == TIME:
        return theirs.tolist()
    if OURS not in seconds or (measure != RATIO and OURS not in work):
        return None
    ratio = theirs / np.array(seconds[OURS])
    if measure == PER_WORK:
        ratio = work[other] / work[OURS] / ratio
    elif measure == SHARE:
        ratio = ratio * work[OURS] / work[other]
    return ratio.tolist()


def _best_sgemm(row: Row) -> str | None:
    """Return the shape of sgemm with the best rate in a row, if there is any."""
    rates = {
        name: row["work"][name] / float(np.median(turns))
        for name, turns in row["seconds"].items()
        if name.startswith(SGEMM)
    }
    return max(rates, key=rates.__getitem__, default=None)


def where(row: Row) -> str:
    """Return the shape of a row in words."""
    return f"{row['case']} B={row['B']} T={row['T']} I={row['I']} H={row['H']}"


def answer(rule: Rule, rows: Iterable[Row]) -> Answer:
    """Return what rows say to a rule.

    Args:
        rule: the rule.
        rows: all rows of the results.
    """
    taken = [row for row in rows if rule.takes(row)]
    wrong = [row for row in taken if row["error"] or rule.other in row["wrong"]]
    found = [
        (row, turns)
        for row in taken
        if row not in wrong
        and (turns := values(row, rule.measure, rule.other)) is not None
    ]
    if not found:
        return Answer(rule, None, 0, "", len(wrong))
    medians = [float(np.median(turns)) for _, turns in found]
    place = int(np.argmin(medians) if rule.at_least else np.argmax(medians))
    if rule.statistic == MEAN:
        value, at = mean_interval([turns for _, turns in found]), ""
    else:
        value = median_interval(found[place][1])
        at = where(found[place][0])
    return Answer(rule, value.scaled(SCALE[rule.unit]), len(found), at, len(wrong))


def answers(rows: Sequence[Row]) -> list[Answer]:
    """Return what rows say to all rules that have a case among them.

    Args:
        rows: all rows of the results.
    """
    cases = {row["case"] for row in rows}
    return [answer(rule, rows) for rule in RULES if cases & set(rule.cases)]
