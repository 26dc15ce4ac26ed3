"""What rows come to: for each case, direction and peer a mean and the worst point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import Interval, mean_interval, median_interval
from .registry import BOTH, C_STEP, FORWARD, OUR_LSTM, OURS, SGEMM
from .rules import PER_WORK, RATIO, SHARE, values

Row = Mapping[str, Any]
SHORT = {FORWARD: "forward", BOTH: "fwd+bwd"}
"""Directions as tables have them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A peer in all rows of a case and direction.

    Args:
        peer: who.
        measure: see `rules.Rule`.
        mean: geometric mean over the rows.
        worst: the row that is the worst for us.
        at: which one that is.
        rows: how many.
    """

    peer: str
    measure: str
    mean: Interval
    worst: Interval
    at: str
    rows: int

    @property
    def label(self) -> str:
        """Who, and what is said, where that is no plain ratio of times."""
        more = {PER_WORK: ", per multiply-add", SHARE: ", our share"}
        return self.peer + more.get(self.measure, "")


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of a case and direction, and what they come to.

    Args:
        case: its name.
        what: the direction.
        rows: in the order in which they were measured.
        lines: of the peers.
    """

    case: str
    what: str
    rows: tuple[Row, ...]
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.case}, {self.what}"

    @property
    def contenders(self) -> tuple[str, ...]:
        """Who was timed in any row; ours first."""
        names = [name for row in self.rows for name in row["seconds"]]
        return tuple(dict.fromkeys(names))


def groups(rows: Iterable[Row]) -> list[Group]:
    """Return rows by case and direction, in their order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["case"], row["what"]), []).append(row)
    return [
        Group(case, what, tuple(taken), tuple(_lines(taken)))
        for (case, what), taken in found.items()
    ]


def _lines(rows: Sequence[Row]) -> Iterable[Line]:
    names = dict.fromkeys(
        SGEMM if name.startswith(SGEMM) else name
        for row in rows
        for name in row["seconds"]
    )
    for name in names:
        measure = {OUR_LSTM: PER_WORK, SGEMM: SHARE}.get(name, RATIO)
        if (
            name not in (OURS, C_STEP)
            and (line := _line(name, measure, rows)) is not None
        ):
            yield line


def _line(peer: str, measure: str, rows: Sequence[Row]) -> Line | None:
    found = [(row, values(row, measure, peer)) for row in rows]
    known = [(row, turns) for row, turns in found if turns is not None]
    if not known:
        return None
    turns = [each for _, each in known]
    medians = [float(np.median(each)) for each in turns]
    place = int(np.argmax(medians) if measure == PER_WORK else np.argmin(medians))
    mean, worst = mean_interval(turns), median_interval(turns[place])
    return Line(peer, measure, mean, worst, shape_words(known[place][0]), len(known))


def shape_words(row: Row) -> str:
    """Return the shape of a row."""
    return " ".join(f"{axis}={row[axis]}" for axis in ("B", "T", "I", "H"))


def time_words(seconds: float) -> str:
    """Return a time with its unit, in three digits.

    Example:
        >>> time_words(0.00181), time_words(1.37e-07), time_words(0.115)
        ('1.81 ms', '137 ns', '115 ms')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 0.9995:
            return f"{digits(seconds * factor)} {unit}"
    return f"{digits(seconds * 1e9)} ns"


def digits(value: float) -> str:
    """Return a number in three digits, more where it is larger, never as a power.

    Example:
        >>> digits(0.9312), digits(12.0), digits(1234.5)
        ('0.931', '12.0', '1234')
    """
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def median(row: Row, name: str) -> float | None:
    """Return the median of a contender's turns, None where it was not timed."""
    turns = row["seconds"].get(name)
    return None if turns is None else float(np.median(turns))


def limit_rate(rows: Iterable[Row]) -> float | None:
    """Return multiply-adds a second of the best sgemm of all rows, if there is one."""
    rates = [
        row["work"][name] / float(np.median(turns))
        for row in rows
        for name, turns in row["seconds"].items()
        if name.startswith(SGEMM)
    ]
    return max(rates, default=None)


def notes(rows: Iterable[Row]) -> list[str]:
    """Return what has no figure, and why: it is absent, or its result was wrong."""
    found: dict[str, int] = {}
    for row in rows:
        name = f"{row['case']}, {row['what']}"
        for peer, reason in row["absent"].items():
            text = f"{peer} is absent: {reason}"
            found[text] = found.get(text, 0) + 1
        for peer, reason in row["wrong"].items():
            text = f"{name}, {shape_words(row)}: {peer} is wrong: {reason}"
            found[text] = found.get(text, 0) + 1
        if row["error"]:
            text = f"{name}, {shape_words(row)}: our result is wrong: {row['error']}"
            found[text] = found.get(text, 0) + 1
    return list(found)
