"""Measure cases row by row, and write what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from cellwright.cells import find
from cellwright.language.report import did_you_mean

from . import kinds
from .errors import BenchError
from .machine import BUSY, machine, others_at_work, require_idle
from .registry import CASES, LIMIT, Case, own_case, shapes_of
from .work_file import WorkFile

TURNS, QUICK_TURNS = 15, 5

Results = dict[str, Any]
Report = Callable[[int, int, str], None]
"""Told before each row: how many are done, how many there are, what comes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures.

    Args:
        cases: in their order.
        quick: few shapes and turns.
    """

    cases: tuple[Case, ...]
    quick: bool = False

    @property
    def settings(self) -> list[kinds.Setting]:
        """Every row."""
        return [
            kinds.Setting(case, what, shape)
            for case in self.cases
            for what in case.directions
            for shape in shapes_of(case, self.quick)
        ]

    @property
    def turns(self) -> int:
        """How many turns each contender has."""
        return QUICK_TURNS if self.quick else TURNS


def plan(
    cells: Iterable[str] = (),
    cases: Iterable[str] = (),
    *,
    quick: bool = False,
    options: Mapping[str, float | int] | None = None,
) -> Plan:
    """Return what is measured for some names.

    The rate of matrix products is measured with whatever layers are.

    Args:
        cells: of the library or files, each measured as one's own cell.
        cases: of the registry; all of them where no cell is named either.
        quick: few shapes and turns.
        options: sizes and constants of the cells.

    Raises:
        BenchError: there is no such case.
    """
    chosen = list(cases)
    for name in chosen:
        if name not in CASES:
            raise BenchError(
                f"--case {name}: there is no such case\n"
                f"  fix: {did_you_mean(name, CASES)} take one of {', '.join(CASES)}"
            )
    own = [_own(cell, options or {}) for cell in dict.fromkeys(cells)]
    if not own and not chosen:
        chosen = list(CASES)
    found = [*own, *(CASES[name] for name in dict.fromkeys(chosen))]
    if LIMIT not in chosen and any(case.kind == "layer" for case in found):
        found = [CASES[LIMIT], *found]
    for name, count in Counter(case.name for case in found).items():
        if count > 1:
            raise BenchError(
                f"{name}: {count} of what is measured are called so\n"
                "  fix: measure them one after the other, in folders of their own"
            )
    return Plan(tuple(found), quick)


def bench(
    what: Plan,
    out: str | Path,
    *,
    threads: int | None = None,
    anyway: bool = False,
    report: Report = lambda done, total, text: None,
) -> Results:
    """Measure the rows of a plan, and return them with the record of the machine.

    An interrupted run leaves its rows in the folder; the same call goes on behind them.

    Args:
        what: see `plan`.
        out: the folder of the rows that are kept meanwhile.
        threads: of torch and of every peer; torch's own choice if None.
        anyway: measure on a machine that is at work; the record says so.
        report: is told where the run stands.

    Raises:
        BenchError: others are at work on the machine.
    """
    with _threads(threads):
        if anyway:
            busy = others_at_work()
        else:
            busy = 0.0
            require_idle()
        record = {
            **machine(),
            "others": round(busy, 3),
            "anyway": anyway and busy > BUSY,
            "turns": what.turns,
            "quick": what.quick,
            "cases": [case.name for case in what.cases],
            "cells": _digest(what.cases),
            "options": {case.name: dict(case.options) for case in what.cases},
        }
        work = WorkFile(Path(out), record)
        settings = what.settings
        for done, setting in enumerate(settings):
            if work.row(setting.key) is None:
                report(done, len(settings), _words(setting))
                work.add(kinds.row(setting, what.turns))
        report(len(settings), len(settings), "")
        work.remove()
    busy_once = bool(work.record["anyway"] or record["anyway"])
    return {"machine": {**work.record, "anyway": busy_once}, "rows": work.rows}


def _own(cell: str, options: Mapping[str, float | int]) -> Case:
    found = find(cell)
    shape = found.graph.inputs[0].shape
    try:
        width = shape[0].evaluate({}) if shape else 1
    except KeyError:
        width = None
    return own_case(found.name, cell, options, width)


def _digest(cases: Sequence[Case]) -> str:
    """Return what tells the cells of some cases from others of the same names."""
    texts = [find(case.cell).flat_text for case in cases]
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Have torch use so many threads while the block runs.

    Raises:
        BenchError: that is no number of threads.
    """
    if count is not None and count < 1:
        raise BenchError(
            f"--threads {count}: there is one thread at least\n  fix: --threads 1"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _words(setting: kinds.Setting) -> str:
    shape = " ".join(f"{axis}={n}" for axis, n in setting.shape._asdict().items())
    return f"{setting.case.name}, {setting.what}, {shape}"
