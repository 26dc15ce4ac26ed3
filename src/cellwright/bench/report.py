"""Results as a page of Markdown: rules, means, every row, and what has no figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill
from typing import Any

from .intervals import median_interval
from .registry import OURS, SGEMM
from .rules import RATIO, Answer, answers, values
from .summary import Group, groups, limit_rate, median, notes, time_words
from .text import busy_rows, figure_words, interval_words, machine_words, met_words

WIDTH = 88


def report(results: dict[str, Any], pictures: Iterable[str] = ()) -> str:
    """Return the page.

    Args:
        results: of `run.bench`.
        pictures: names of the files beside it.
    """
    rows, machine = results["rows"], results["machine"]
    lines = ["# How fast the layers are", ""]
    lines += _paragraph(
        f"""{machine_words(machine)} Compiled by {machine["compiler"]}, Python
        {machine["python"]}, numpy {machine["numpy"]}, OMP_WAIT_POLICY
        {machine["OMP_WAIT_POLICY"] or "not set"}, load {machine["load"][0]:g}; others
        took {machine["others"]:.0%} of the cores before the first row."""
    )
    if busy := busy_rows(rows):
        lines += _paragraph(f"**{busy}**")
    lines += _paragraph(
        f"""float32; medians of {machine["turns"]} turns, all contenders of a row in
        turn in one process, each with the same number of threads; forward without
        gradients (`torch.inference_mode`), backward with those of all weights and not
        of the input. A ratio is the median of the peer's time over ours at each turn:
        above 1 we are faster. In brackets 95 % of what resampled turns give; in the
        tables of rows the ratio stands behind the peer's time. Before a row is timed,
        each contender's numbers are compared: there is no figure on a wrong result."""
    )
    if asked := answers(rows):
        lines += ["## What is asked", "", *rule_table(asked)]
    lines += _means(groups(rows))
    if told := notes(rows):
        lines += ["## What has no figure", "", *(f"* {note}" for note in told), ""]
    for name in pictures:
        lines += [f"![{name.rpartition('.')[0]}]({name})", ""]
    rate = limit_rate(rows)
    if rate is not None:
        lines += _paragraph(
            f"""The limit in the pictures is that of the fastest of several matrix
            products of torch (sgemm) in the same run: {2e-9 * rate:.0f} GFLOP/s, two
            operations a multiply-add. Products with matrices count alone."""
        )
    for group in groups(rows):
        lines += _rows(group)
    return "\n".join(lines)


def _paragraph(text: str) -> list[str]:
    return [*fill(" ".join(text.split()), WIDTH).splitlines(), ""]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], text: int) -> list[str]:
    """Return a table of Markdown, an empty line behind it.

    Args:
        heads: of the columns.
        rows: their cells.
        text: so many first columns are words; the others are numbers, to the right.
    """
    marks = ["---" if place < text else "---:" for place in range(len(heads))]
    shown = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'|'.join(marks)}|", *shown, ""]


def rule_table(found: Sequence[Answer]) -> list[str]:
    """Return the table of what is asked, with what the rows answer."""
    heads = ("what", "value", "asked", "", "rows", "at")
    return table(heads, [tuple(_rule(each)) for each in found], 6)


def _rule(each: Answer) -> Iterator[str]:
    rule = each.rule
    yield rule.name
    yield figure_words(each)
    sign = "≥" if rule.at_least else "≤"
    yield "–" if rule.bound is None else f"{sign} {rule.asked}"
    yield f"**{met_words(each)}**" if each.met is False else met_words(each)
    yield f"{each.rows}" + (f", {each.wrong} wrong" if each.wrong else "")
    yield each.at


def _means(found: Sequence[Group]) -> list[str]:
    rows = [
        (
            group.title,
            line.label,
            interval_words(line.mean),
            f"{line.worst.value:.2f}",
            line.at,
            str(line.rows),
        )
        for group in found
        for line in group.lines
    ]
    if not rows:
        return []
    heads = ("cell", "beside", "geometric mean", "worst", "at", "rows")
    return ["## Means and worst points", "", *table(heads, rows, 6)]


def _rows(group: Group) -> list[str]:
    names = group.contenders
    heads = ("B", "T", "I", "H", *names, "others")
    rows: list[list[str]] = []
    for row in group.rows:
        cells = [str(row[axis]) for axis in "BTIH"]
        for name in names:
            found, turns = median(row, name), values(row, RATIO, name)
            text = "–" if found is None else time_words(found)
            if turns is not None and name != OURS and not name.startswith(SGEMM):
                low_high = median_interval(turns)
                text += " × {:.2f} [{:.2f}, {:.2f}]".format(*low_high)
            cells.append(text)
        rows.append([*cells, f"{row['others']:.0%}"])
    title = group.title[:1].upper() + group.title[1:]
    return [f"## {title}", "", *table(heads, rows, 0)]
