"""Work in units that is done once: what was finished is kept, line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def finish(
    work: Path,
    units: Iterable[str],
    do: Callable[[str], dict[str, Any]],
    jobs: int,
    said: Callable[[Iterable[dict[str, Any]]], str],
) -> list[dict[str, Any]]:
    """Do the units that ``work`` does not hold yet, and return what all of them gave.

    Args:
        work: the file of finished units, a line of JSON each; others are taken out.
        units: their names.
        do: what to do with a unit, in a process of its own; a module's function.
        jobs: processes.
        said: what to show beside the count, from what was found so far.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    names = list(units)
    wanted = set(names)
    done = {unit: row for unit, row in _kept(work) if unit in wanted}
    # The last line of a run that was stopped may be half a one.
    beside = work.with_suffix(".new")
    beside.write_text("".join(map(_line, done.items())), encoding="utf-8")
    beside.replace(work)
    todo = [unit for unit in names if unit not in done]
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool, work.open("a") as file:
        for unit, row in zip(todo, pool.map(do, todo), strict=True):
            file.write(_line((unit, row)))
            file.flush()
            done[unit] = row
            text = f"\r{len(done)} of {len(names)} units, {said(done.values())}"
            print(text, end="", file=sys.stderr, flush=True)
    return [done[unit] for unit in names]


def _line(unit: tuple[str, dict[str, Any]]) -> str:
    return json.dumps({"unit": unit[0], "found": unit[1]}) + "\n"


def _kept(work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what earlier runs finished; a line that was cut off is none."""
    if not work.exists():
        return
    for line in work.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        yield row["unit"], row["found"]
