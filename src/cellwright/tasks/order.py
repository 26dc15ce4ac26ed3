"""Whether the labels of a series stand oldest first and in even steps.

A row that goes back in time is a fault: history and future would be exchanged. Steps
that differ from the usual one are only warned of, once for a file and with their
counts, because nothing in a file tells months that were lost from weekends on which
nobody trades: whoever has business days goes on, whoever has gaps fills them.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Sequence

from .calendar import places
from .errors import Fault, StepWarning

SHOWN = 3
"""How many lines a message names; the others are counted."""


def order_faults(
    column: str, labels: Sequence[str], lines: Sequence[int]
) -> list[Fault]:
    """Return the fault of rows that do not stand oldest first, if there is one.

    Months and days may never go back. Whole numbers may be something else than times
    (an hour of the day, a shop); they are at fault only if they descend throughout,
    as in a file that stands newest first. Other labels are not judged.

    Args:
        column: The labels' name.
        labels: One for each row.
        lines: Where each row stands.
    """
    read = places(labels)
    if read is None:
        return []
    unit, numbers = read
    back = [i for i in range(1, len(numbers)) if numbers[i] < numbers[i - 1]]
    newest_first = len(set(numbers)) > 1 and numbers == sorted(numbers, reverse=True)
    if not back or (unit == "number" and not newest_first):
        return []
    first = back[0]
    found = f"{labels[first]!r} after {labels[first - 1]!r}; so in {_rows(back, lines)}"
    if newest_first:
        found += ", which stand newest first"
    fix = f"sort the rows by {column!r}, oldest first"
    if unit == "number":
        fix += "; if it holds no times, put the column that does before it"
    return [Fault("order", lines[first], found, fix, column)]


def warn_of_steps(
    file: str, column: str, labels: Sequence[str], lines: Sequence[int]
) -> None:
    """Warn once of steps that are not the usual one, the most frequent.

    Months and days are always judged, whole numbers only where they look like times:
    where more than half of the steps are one and the same step forward.

    Args:
        file: Where the labels stand.
        column: The labels' name.
        labels: One for each row.
        lines: Where each row stands.
    """
    read = places(labels)
    if read is None or len(labels) < 3:
        return
    unit, numbers = read
    steps = [now - before for before, now in itertools.pairwise(numbers)]
    usual, count = Counter(steps).most_common(1)[0]
    if unit == "number" and (usual <= 0 or 2 * count <= len(steps)):
        return
    odd = [i for i, step in enumerate(steps, 1) if step != usual]
    if not odd:
        return
    twice = sum(step == 0 for step in steps) if usual else 0
    size = f"{usual} {unit}{'' if usual == 1 else 's'}"
    also = f", {twice} of them a label that stands twice" if twice else ""
    example = f"{labels[odd[0] - 1]!r} to {labels[odd[0]]!r}"
    warnings.warn(
        f"{file}, column {column!r}: the step is not the usual {size} in "
        f"{_rows(odd, lines)}{also}; the first: {example}\n"
        "  used:  every row as one step, which is right for business days\n"
        "  fix:   if rows are missing or doubled, fill, interpolate or remove them",
        StepWarning,
        stacklevel=3,
    )


def _rows(rows: Sequence[int], lines: Sequence[int]) -> str:
    shown = ", ".join(str(lines[row]) for row in rows[:SHOWN])
    more = ", ..." if len(rows) > SHOWN else ""
    return f"{len(rows)} of {len(lines)} rows (line {shown}{more})"
