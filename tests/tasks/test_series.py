import pickle

import numpy as np
import pytest

from cellwright.tasks import (
    DataError,
    Plan,
    Series,
    check_series,
    read_series,
)

PLAN = Plan(history=2, horizon=1)


def written(folder, rows, header="t,y,x"):
    """Write a file of some rows and return its path."""
    path = folder / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def good_rows(count=30):
    """Return rows without a fault."""
    return [f"2020-{i},{i % 7},{i % 5}.5" for i in range(count)]


def faults_of(path, *args, **kwargs):
    """Return rule, line and column of every fault of a file."""
    with pytest.raises(DataError) as caught:
        read_series(path, *args, **kwargs)
    return [(f.rule, f.line, f.column) for f in caught.value.faults]


def test_columns_in_the_order_asked(tmp_path):
    """The target comes first, the inputs follow, and an unused column labels rows."""
    series = read_series(written(tmp_path, good_rows()), "x", ["y"], plan=PLAN)
    assert series.columns == ("x", "y")
    assert series.values[8].tolist() == [3.5, 1.0]
    assert series.times[8] == "2020-8"
    assert series.name == "data"


def test_only_numeric_column_needs_no_name(tmp_path):
    """The target may stay unnamed where one column alone is numeric."""
    path = written(tmp_path, ["a,1", "b,2"], "t,y")
    assert read_series(path).columns == ("y",)
    assert faults_of(written(tmp_path, good_rows())) == [("column", 1, "")]


@pytest.mark.parametrize(
    ("cell", "rule", "words"),
    [
        ("", "gap", "an empty cell"),
        ("NA", "gap", "'NA' for a missing value"),
        ("nan", "finite", "'nan'"),
        ("-inf", "finite", "'-inf'"),
        ("1e31", "finite", "'1e31'"),
        ("abc", "text", "'abc'"),
        ('"1,5"', "text", r"a point: 1\.5"),
        ('"1,234.5"', "text", r"thousands' marks: 1234\.5"),
        ("1_000", "text", "thousands' marks: 1000"),
        ("٣", "text", "'٣'"),
    ],
)
def test_cell_that_is_no_number(tmp_path, cell, rule, words):
    """A used cell without a finite number is named with line, column and fix."""
    rows = good_rows()
    rows[4] = f"2020-4,{cell},1"
    path = written(tmp_path, rows)
    with pytest.raises(DataError, match=words) as caught:
        read_series(path, "y", plan=PLAN)
    (fault,) = caught.value.faults
    assert (fault.rule, fault.line, fault.column) == (rule, 6, "y")


def test_unused_columns_may_hold_anything(tmp_path):
    """Cells of columns that nobody asked for are not judged."""
    rows = [row + ",words" for row in good_rows()]
    assert len(read_series(written(tmp_path, rows, "t,y,x,z"), "y", plan=PLAN)) == 30


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.__setitem__(3, "2020-3,1"), ("ragged", 5, "")),
        (lambda rows: rows.__setitem__(3, "2020-3,1,2,3"), ("ragged", 5, "")),
        (lambda rows: rows.__setitem__(3, ""), ("ragged", 5, "")),
        (lambda rows: rows.__delitem__(slice(14, None)), ("rows", 0, "")),
    ],
)
def test_rows_that_do_not_fit(tmp_path, change, expected):
    """A ragged row, an empty line within and too few rows are each told."""
    rows = good_rows()
    change(rows)
    assert faults_of(written(tmp_path, rows), "y", plan=PLAN) == [expected]


def test_constant_over_the_training_block(tmp_path):
    """A column that varies only after the training block cannot be scaled."""
    rows = [f"{i},5,{i}" for i in range(21)] + [f"{i},{i},{i}" for i in range(21, 30)]
    path = written(tmp_path, rows)
    assert faults_of(path, "y", plan=PLAN) == [("constant", 0, "y")]
    rows[20] = "20,6,20"
    assert len(read_series(written(tmp_path, rows), "y", plan=PLAN)) == 30


@pytest.mark.parametrize(
    ("column", "inputs", "words"),
    [
        ("yy", [], "did you mean 'y'"),
        ("X", [], "did you mean 'x'"),
        ("y", ["q"], "'q' as an input; there is no such column"),
        ("y", ["y"], "'y' a second time"),
        ("y", ["x", "x"], "'x' a second time"),
    ],
)
def test_wrong_column(tmp_path, column, inputs, words):
    """A column that is not there, or is asked for twice, is told with a remedy."""
    with pytest.raises(DataError, match=words):
        read_series(written(tmp_path, good_rows()), column, inputs, plan=PLAN)


def test_header_faults(tmp_path):
    """Two columns of one name, and a file without names, are told on line 1."""
    path = written(tmp_path, good_rows(), "t,y,y")
    assert faults_of(path, "t", plan=None)[0] == ("duplicate", 1, "y")
    path = written(tmp_path, good_rows(), "1,2,3")
    assert faults_of(path, "y", plan=PLAN)[0][0] == "header"


def test_all_faults_at_once(tmp_path):
    """One message holds every fault of the file, in the order of its lines."""
    rows = good_rows()
    rows[1], rows[5], rows[9] = "a,,1", "b,1", "c,word,nan"
    found = faults_of(written(tmp_path, rows), "y", ["x", "w"], plan=PLAN)
    assert found == [
        ("column", 1, "w"),
        ("gap", 3, "y"),
        ("ragged", 7, ""),
        ("text", 11, "y"),
        ("finite", 11, "x"),
    ]


def test_many_faults_are_counted(tmp_path):
    """Twenty faults are spelled out, the others counted, and all are attributes."""
    path = written(tmp_path, ["a,?,1"] * 30)
    with pytest.raises(DataError, match="and 10 more faults") as caught:
        read_series(path, "y", plan=PLAN)
    assert len(caught.value.faults) == 30
    assert str(caught.value).count("rule:") == 20
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made above
    assert str(again) == str(caught.value)


def test_message_in_full(tmp_path, monkeypatch):
    """The whole message: file, line, column, rule, what was found, likely fix."""
    monkeypatch.chdir(tmp_path)
    rows = good_rows()
    rows[2] = "2020-2,,1"
    written(tmp_path, rows)
    with pytest.raises(DataError) as caught:
        read_series("data.csv", "y", plan=PLAN)
    assert str(caught.value) == (
        "data.csv: 1 fault\n"
        "  line 4, column 'y': gap\n"
        "    rule:  every cell of a used column holds a number\n"
        "    found: an empty cell\n"
        "    fix:   fill the gap, or cut the series there: "
        "a window may not jump over time"
    )


def test_series_that_came_from_no_file():
    """A Series made in Python is held to the same rules."""
    values = np.arange(40.0).reshape(20, 2)
    check_series(Series("made", ("a", "b"), values), PLAN)
    values[3, 1] = np.nan
    with pytest.raises(DataError, match="line 4, column 'b'"):
        check_series(Series("made", ("a", "b"), values), PLAN)
    with pytest.raises(DataError, match="3 rows"):
        check_series(Series("made", ("a",), np.arange(3.0)[:, None]), PLAN)
    with pytest.raises(DataError, match="1 in all"):
        check_series(Series("made", ("a",), np.ones((20, 1))), PLAN)
    with pytest.raises(DataError, match="shape"):
        check_series(Series("made", ("a",), np.ones(20)), PLAN)


def test_only_column_named_as_an_input(tmp_path):
    """Where the inputs leave no target, the message names the one that is meant."""
    path = tmp_path / "a.csv"
    path.write_text("month,my y\nJan,1\nFeb,2\n")
    with pytest.raises(DataError, match="--column 'my y'") as caught:
        read_series(path, inputs=["my y"])
    assert "every column with numbers is an input: 'my y'" in str(caught.value)
