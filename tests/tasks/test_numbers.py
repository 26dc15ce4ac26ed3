import pytest

from cellwright.tasks import DataError, Plan, read_series

PLAN = Plan(history=2, horizon=1)


def faults(folder, cells, header="t,y,x", column="y"):
    """Return the faults of a file whose middle column holds these cells."""
    path = folder / "data.csv"
    rows = [f"{i},{cell},{i % 5}.5" for i, cell in enumerate(cells)]
    path.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(DataError) as caught:
        read_series(path, column, plan=PLAN)
    return caught.value.faults


def test_text_column_is_one_fault(tmp_path):
    """A column of text is told once, with the first cell and the columns to choose."""
    (fault,) = faults(tmp_path, ["Bonn", "Rome", ""] * 10)
    assert (fault.rule, fault.line, fault.column) == ("text", 2, "y")
    assert fault.found == (
        "the column holds text: 'Bonn' here, and in 19 other cells of 30 rows"
    )
    assert fault.fix == "choose a column that holds numbers: 't', 'x'"


def test_first_text_is_named_wherever_it_stands(tmp_path):
    """Gaps and numbers may come before the first text."""
    (fault,) = faults(tmp_path, ["", "1", *["low"] * 28])
    assert fault.line == 4
    assert "'low' here, and in 27 other cells" in fault.found


def test_column_of_numbers_written_otherwise(tmp_path):
    """Decimal commas all the way down are one fault with their remedy; gaps remain."""
    cells = [f'"{i},5"' for i in range(29)] + [""]
    text, gap = faults(tmp_path, cells)
    assert "in 28 other cells of 30 rows" in text.found
    assert text.fix == "write the decimal point as a point: 0.5"
    assert (gap.rule, gap.line) == ("gap", 31)


def test_text_among_numbers_is_told_cell_by_cell(tmp_path):
    """Where numbers are as many as texts, each text is a fault of its own."""
    found = faults(tmp_path, ["1", "one"] * 15)
    assert [fault.line for fault in found] == list(range(3, 33, 2))


def test_file_without_any_number(tmp_path):
    """Where no column holds numbers there is none to choose."""
    path = tmp_path / "data.csv"
    path.write_text("t,y\n" + "a,b\n" * 30)
    with pytest.raises(DataError, match="no column of the file holds any"):
        read_series(path, "y", plan=PLAN)


def test_many_columns_are_counted(tmp_path):
    """A wide table does not fill the screen with its names."""
    path = tmp_path / "data.csv"
    header = ",".join(["y", *(f"x{i}" for i in range(11))])
    path.write_text("\n".join([header, *["a" + ",1" * 11] * 30]) + "\n")
    with pytest.raises(DataError, match="'x7' and 3 more") as caught:
        read_series(path, "y", plan=PLAN)
    assert "'x8'" not in str(caught.value)


def test_thousands_marks_go(tmp_path):
    """Whatever mark parts the thousands, the remedy is written without it."""
    (fault,) = faults(tmp_path, ["1'234.5", *map(str, range(29))])
    assert fault.fix == "leave out the thousands' marks: 1234.5"
