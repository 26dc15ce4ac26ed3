"""Read the labels of a series as times, and continue them into the time to come."""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Sequence

_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d+", re.ASCII)


def following(times: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the labels of the next ``count`` rows.

    Months (``1983-12``), days (``1983-12-31``) and whole numbers go on in the step
    of the last two labels. Any other label is counted from: ``+1``, ``+2``.

    Example:
        >>> following(["1983-11", "1983-12"], 2)
        ('1984-01', '1984-02')
        >>> following(["spring", "summer"], 2)
        ('+1', '+2')
    """
    last = list(times[-2:])
    ahead = range(1, count + 1)
    if len(last) == 2 and all(map(_MONTH.fullmatch, last)):
        before, now = (12 * int(label[:4]) + int(label[5:]) - 1 for label in last)
        months = [now + k * (now - before) for k in ahead]
        return tuple(f"{month // 12:04d}-{month % 12 + 1:02d}" for month in months)
    if len(last) == 2 and all(map(_is_day, last)):
        start, end = map(dt.date.fromisoformat, last)
        return tuple(str(end + k * (end - start)) for k in ahead)
    if len(last) == 2 and all(map(_WHOLE.fullmatch, last)):
        step = int(last[1]) - int(last[0])
        return tuple(str(int(last[1]) + k * step) for k in ahead)
    return tuple(f"+{k}" for k in ahead)


def places(times: Sequence[str]) -> tuple[str, list[int]] | None:
    """Return the unit of the labels and where each stands in it.

    The unit is ``"month"``, ``"day"`` or ``"number"``. Days that are all the same day
    of their month, or all the last, count as months. None for any other label.

    Example:
        >>> places(["2024-01-31", "2024-02-29"])
        ('month', [24288, 24289])
        >>> places(["spring", "summer"]) is None
        True
    """
    if not times:
        return None
    if all(_MONTH.fullmatch(label) and "01" <= label[5:] <= "12" for label in times):
        return "month", [12 * int(label[:4]) + int(label[5:]) - 1 for label in times]
    if all(map(_is_day, times)):
        days = [dt.date.fromisoformat(label) for label in times]
        last = all(day.day == monthrange(day.year, day.month)[1] for day in days)
        if len({day.day for day in days}) == 1 or last:
            return "month", [12 * day.year + day.month - 1 for day in days]
        return "day", [day.toordinal() for day in days]
    if all(map(_WHOLE.fullmatch, times)):
        return "number", [int(label) for label in times]
    return None


def _is_day(label: str) -> bool:
    if not _DAY.fullmatch(label):
        return False
    try:
        dt.date.fromisoformat(label)
    except ValueError:
        return False
    return True
