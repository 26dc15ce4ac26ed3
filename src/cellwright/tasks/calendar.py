"""Read the labels of a series as times, and continue them into the time to come."""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Sequence

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


def following(times: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the labels of the next ``count`` rows.

    Months (``1983-12``), days (``1983-12-31``) and whole numbers go on in the step
    of the last two labels, days that stand for months from month to month. Any other
    label is counted from: ``+1``, ``+2``; so is one that leads beyond the calendar.

    Example:
        >>> following(["1983-11", "1983-12"], 2)
        ('1984-01', '1984-02')
        >>> following(["2023-12-31", "2024-01-31"], 2)
        ('2024-02-29', '2024-03-31')
        >>> following(["spring", "summer"], 2)
        ('+1', '+2')
    """
    counted = tuple(f"+{k}" for k in range(1, count + 1))
    read = places(times)
    if read is None or len(times) < 2:
        return counted
    unit, (*_, before, now) = read
    numbers = [now + k * (now - before) for k in range(1, count + 1)]
    if unit == "number":
        return tuple(map(str, numbers))
    try:
        if unit == "day":
            return tuple(str(dt.date.fromordinal(number)) for number in numbers)
        # A date of the month says that the month can be written at all.
        days = [_day_of(number, times) for number in numbers]
    except (ValueError, OverflowError):  # a year that four digits cannot say
        return counted
    return tuple(str(day)[: len(times[-1])] for day in days)


def _day_of(month: int, times: Sequence[str]) -> dt.date:
    """Return the day that stands for a month where ``times`` stand for theirs."""
    year, number = divmod(month, 12)
    last = monthrange(year, number + 1)[1]
    if _MONTH.fullmatch(times[-1]):
        return dt.date(year, number + 1, 1)
    days = [dt.date.fromisoformat(label) for label in times]
    usual = last if all(map(_is_last, days)) else min(last, days[-1].day)
    return dt.date(year, number + 1, usual)


def places(times: Sequence[str]) -> tuple[str, list[int]] | None:
    """Return the unit of the labels and where each stands in it.

    The unit is ``"month"``, ``"day"`` or ``"number"``. Days that are all the same day
    of their month, or all the last, count as months. None for any other label.

    Example:
        >>> places(["2024-01-31", "2024-02-29"])
        ('month', [24288, 24289])
        >>> places(["2020-12", "2020-13"]) is None
        True
    """
    if not times:
        return None
    if all(map(_MONTH.fullmatch, times)):
        return "month", [12 * int(label[:4]) + int(label[5:]) - 1 for label in times]
    if all(map(_is_day, times)):
        days = [dt.date.fromisoformat(label) for label in times]
        if len({day.day for day in days}) == 1 or all(map(_is_last, days)):
            return "month", [12 * day.year + day.month - 1 for day in days]
        return "day", [day.toordinal() for day in days]
    if all(map(_WHOLE.fullmatch, times)):
        return "number", [int(label) for label in times]
    return None


def _is_last(day: dt.date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


def _is_day(label: str) -> bool:
    if not _DAY.fullmatch(label):
        return False
    try:
        dt.date.fromisoformat(label)
    except ValueError:
        return False
    return True
