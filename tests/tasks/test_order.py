import datetime as dt
import warnings

import numpy as np
import pytest

from cellwright.tasks import (
    DataError,
    Plan,
    Series,
    StepWarning,
    check_series,
    read_series,
)

PLAN = Plan(history=2, horizon=1)
MONTHS = [f"{1990 + i // 12}-{i % 12 + 1:02d}" for i in range(30)]
DAYS = [str(dt.date(2024, 1, 1) + dt.timedelta(i)) for i in range(42)]
BUSINESS = [day for day in DAYS if dt.date.fromisoformat(day).weekday() < 5]
FIRSTS = [f"{month}-01" for month in MONTHS]
ENDS = [str(dt.date.fromisoformat(day) - dt.timedelta(1)) for day in FIRSTS]
YEARS = [str(1749 + i) for i in range(30)]


def written(folder, labels):
    """Write a file whose rows have these labels and return its path."""
    rows = [f"{label},{i % 7}" for i, label in enumerate(labels)]
    path = folder / "data.csv"
    path.write_text("\n".join(["t,y", *rows]) + "\n")
    return path


def swapped(labels):
    """Exchange the labels of lines 6 and 7."""
    return [*labels[:4], labels[5], labels[4], *labels[6:]]


@pytest.mark.parametrize(
    "labels",
    [
        MONTHS,
        MONTHS[::3],
        DAYS,
        DAYS[::7],
        FIRSTS,
        ENDS,
        YEARS,
        [f"{i // 12}" for i in range(30)],
        [f"{i * i % 23}" for i in range(30)],
        ["7"] * 30,
        [f"2024-01-01 {i:02d}:00" for i in range(23, -1, -1)],
        [f"2020-{i}" for i in range(30, 0, -1)],
    ],
)
def test_even_steps_and_other_labels_pass_in_silence(tmp_path, labels):
    """Months, days, calendar months and years pass; other labels are not judged."""
    series = read_series(written(tmp_path, labels), "y")
    assert series.times == tuple(labels)


@pytest.mark.parametrize("labels", [MONTHS, DAYS, FIRSTS, YEARS])
def test_newest_first_is_a_fault(tmp_path, labels):
    """A file that stands newest first is refused, with or without a plan."""
    path = written(tmp_path, labels[::-1])
    for plan in (PLAN, None):
        with pytest.raises(DataError, match="newest first") as caught:
            read_series(path, "y", plan=plan)
        (fault,) = caught.value.faults
        assert (fault.rule, fault.line, fault.column) == ("order", 3, "t")
        assert f"{len(labels) - 1} of {len(labels)} rows (line 3, 4, 5, ...)" in (
            fault.found
        )
        assert "sort the rows by 't', oldest first" in fault.fix


@pytest.mark.parametrize("labels", [MONTHS, DAYS])
def test_one_row_that_goes_back_is_a_fault(tmp_path, labels):
    """Months and days may never go back; the line and both labels are named."""
    path = written(tmp_path, swapped(labels))
    with pytest.raises(DataError) as caught:
        read_series(path, "y", plan=PLAN)
    (fault,) = caught.value.faults
    assert (fault.rule, fault.line) == ("order", 7)
    assert fault.found.startswith(f"{labels[4]!r} after {labels[5]!r}; so in 1 of ")


def test_whole_numbers_may_begin_again(tmp_path):
    """Hours of the day are no fault: they are warned of where they go back."""
    path = written(tmp_path, [str(i % 24) for i in range(60)])
    with pytest.warns(StepWarning, match=r"2 of 60 rows \(line 26, 50\)"):
        assert len(read_series(path, "y", plan=PLAN)) == 60


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (MONTHS[:9] + MONTHS[12:], r"usual 1 month in 1 of 27 rows \(line 11\)"),
        (YEARS[:9] + YEARS[12:], r"usual 1 number in 1 of 27 rows \(line 11\)"),
        (FIRSTS[:9] + FIRSTS[12:], r"usual 1 month in 1 of 27 rows \(line 11\)"),
        (BUSINESS, r"usual 1 day in 5 of 30 rows \(line 7, 12, 17, \.\.\.\); "),
        (DAYS[:9] + DAYS[8:], "1 of them a label that stands twice"),
    ],
)
def test_gaps_are_told_once_and_all_goes_on(tmp_path, labels, words):
    """Missing rows and labels that stand twice are one warning with counts."""
    path = written(tmp_path, labels)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        series = read_series(path, "y", plan=PLAN)
        check_series(series, PLAN)
    assert len(series) == len(labels)
    (one,) = told
    assert one.category is StepWarning
    assert one.filename == __file__
    with pytest.warns(StepWarning, match=words):
        read_series(path, "y", plan=PLAN)


def test_first_odd_step_is_shown(tmp_path):
    """The labels on both sides of the first gap stand in the warning."""
    path = written(tmp_path, MONTHS[:9] + MONTHS[12:])
    with pytest.warns(StepWarning, match="the first: '1990-09' to '1991-01'"):
        read_series(path, "y", plan=PLAN)


def test_order_is_told_beside_other_faults(tmp_path):
    """Ragged rows have no label; the others are judged by the lines they stand on."""
    path = written(tmp_path, swapped(MONTHS))
    lines = path.read_text().splitlines()
    lines[2] = "1990-02"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_series(path, "y", plan=PLAN)
    found = [(fault.rule, fault.line) for fault in caught.value.faults]
    assert found == [("ragged", 3), ("order", 7)]


def test_series_from_no_file():
    """The times of a Series made in Python are held to the same rules."""
    values = np.arange(30.0)[:, None]
    check_series(Series("made", ("y",), values, tuple(MONTHS)), PLAN)
    with pytest.raises(DataError, match="newest first"):
        check_series(Series("made", ("y",), values, tuple(MONTHS[::-1])), PLAN)
    gap = (*MONTHS[:-1], "1995-01")
    with pytest.warns(StepWarning, match="1 of 30"):
        check_series(Series("made", ("y",), values, gap), PLAN)
