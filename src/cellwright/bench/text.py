"""Results as lines for a terminal, none wider than it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from .intervals import Interval
from .machine import BUSY
from .registry import SGEMM
from .rules import COUNT, Answer, answers
from .summary import Group, groups, median, notes, shape_words, time_words

FEW = 12
"""A case with no more rows is shown row by row, too."""


def lines(results: dict[str, Any], columns: int) -> Iterator[str]:
    """Yield what a person reads at the end of a run.

    Args:
        results: of `run.bench`.
        columns: the width that no line passes.
    """
    yield from textwrap.wrap(machine_words(results["machine"]), columns)
    yield ""
    yield from textwrap.wrap(
        "Ratios are the peer's time over ours, above 1 we are faster; per multiply-add "
        "it is ours over our LSTM's. Geometric mean with its interval of 95 %, and the "
        "worst point.",
        columns,
    )
    for group in groups(results["rows"]):
        yield ""
        yield from _group(group, columns)
    told = [line for note in notes(results["rows"]) for line in _note(note, columns)]
    busy = busy_rows(results["rows"])
    if busy:
        told += _note(busy, columns)
    if told:
        yield ""
        yield from told
    asked = [each for each in answers(results["rows"]) if each.rule.bound is not None]
    if asked:
        yield ""
        yield from _asked(asked, columns)


def machine_words(machine: dict[str, Any]) -> str:
    """Return the machine, in a sentence."""
    versions = [
        f"{n} {machine[n]}" for n in ("torch", "onnxruntime", "jax") if machine[n]
    ]
    busy = ", while others were at work on it" if machine["anyway"] else ""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} "
        f"threads, {machine['level']}, {', '.join(versions)}, "
        f"{machine['date'][:10]}{busy}."
    )


def busy_rows(rows: Sequence[Any]) -> str:
    """Return how many rows others were at work in, or nothing."""
    count = sum(row["others"] > BUSY for row in rows)
    if not count:
        return ""
    return (
        f"In {count} of {len(rows)} rows others took more than {BUSY:.0%} of the "
        "cores: these figures say little."
    )


def interval_words(interval: Interval) -> str:
    """Return a value with its interval."""
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _group(group: Group, columns: int) -> Iterator[str]:
    count = len(group.rows)
    yield f"{group.title}, {count} row{'s' * (count != 1)}"
    if count <= FEW:
        yield from _times(group, columns)
    names = [line.label for line in group.lines]
    wide = max(map(len, names), default=0)
    for line in group.lines:
        worst = f"{line.worst.value:.2f} at {line.at}"
        text = f"  {line.label:{wide}}  {interval_words(line.mean)}"
        whole = f"{text}, worst {worst}"
        if len(whole) <= columns:
            yield whole
        else:
            yield text
            yield f"  {'':{wide}}  worst {worst}"


def _times(group: Group, columns: int) -> Iterator[str]:
    """Yield a table of times, or a line for each row where it would be too wide."""
    names = [name for name in group.contenders if not name.startswith(SGEMM)]
    table = [["", *names]]
    for row in group.rows:
        times = [median(row, name) for name in names]
        shown = ["–" if time is None else time_words(time) for time in times]
        table.append([shape_words(row), *shown])
    if not names:
        table = [[*line, "no figure"] for line in table[1:]]
    wide = [max(map(len, column)) for column in zip(*table, strict=False)]
    if sum(wide) + 2 * len(wide) <= columns:
        for first, *others in table:
            cells = [f"{cell:>{n}}" for cell, n in zip(others, wide[1:], strict=False)]
            yield f"  {'  '.join([f'{first:{wide[0]}}', *cells])}".rstrip()
        return
    for first, *others in table[1:]:
        parts = [f"{name} {cell}" for name, cell in zip(names, others, strict=False)]
        yield from textwrap.wrap(
            f"{first}: {', '.join(parts) or 'no figure'}",
            columns,
            initial_indent="  ",
            subsequent_indent="    ",
        )


def _note(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, subsequent_indent="  ")


def _asked(asked: Sequence[Answer], columns: int) -> Iterator[str]:
    yield "What is asked"
    for each in asked:
        yield from textwrap.wrap(
            f"{met_words(each)}: {each.rule.name}: {value_words(each)}",
            columns,
            initial_indent="  ",
            subsequent_indent="    ",
        )


def met_words(answer: Answer) -> str:
    """Return whether a rule is met, in a word or two."""
    return {True: "met", False: "missed", None: "–"}[answer.met]


def value_words(answer: Answer) -> str:
    """Return what rows say to a rule, with the bound and where."""
    wrong = f"{answer.wrong} with a wrong result" if answer.wrong else ""
    if answer.value is None:
        return wrong or "not measured"
    count = f"{answer.rows} row{'s' * (answer.rows != 1)}"
    parts = [figure_words(answer), answer.at or count, wrong]
    return ", ".join(filter(None, parts)) + bound_words(answer)


def figure_words(answer: Answer) -> str:
    """Return a value with its interval and unit, a dash where there is none."""
    value, rule = answer.value, answer.rule
    if value is None:
        return "–"
    if rule.measure == COUNT:
        return f"{value.value:g}"
    return f"{interval_words(value)} {rule.unit}".strip()


def bound_words(answer: Answer) -> str:
    """Return what is asked, behind a comma; nothing where nothing is."""
    rule = answer.rule
    if rule.bound is None:
        return ""
    return f", asked: {'at least' if rule.at_least else 'at most'} {rule.asked}"
