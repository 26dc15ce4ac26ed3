import pytest

from cellwright.tasks import DataError, DataFileError
from cellwright.tasks.csvfile import read_table


def written(folder, content):
    """Write a file and return its path."""
    path = folder / "data.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(tmp_path, delimiter):
    """Comma, semicolon and tab separate cells, and outer blanks do not count."""
    text = "t, y\n1, 2.5\n".replace(",", delimiter)
    table = read_table(written(tmp_path, text.encode()))
    assert (table.header, table.rows) == (("t", "y"), (("1", "2.5"),))


def test_byte_order_mark(tmp_path):
    """A mark at the start of a UTF-8 file is no part of the first name."""
    assert read_table(written(tmp_path, b"\xef\xbb\xbfy\n1\n")).header == ("y",)


def test_lines_are_those_of_the_file(tmp_path):
    """A row knows the line of the file on which it ends, quotes over lines included."""
    table = read_table(written(tmp_path, b'y,note\n1,"a\nb"\n2,c\n\n\n'))
    assert table.lines == (3, 4)
    assert len(table.rows) == 2


@pytest.mark.parametrize(
    ("content", "rule", "line", "words"),
    [
        (b"", "empty", 0, "no text"),
        (b"\n \n", "empty", 0, "no text"),
        (b"y\n1\n2,\xe9\n", "encoding", 3, "0xe9"),
        (b"y\n1\n\0\n", "encoding", 3, "binary"),
        ("y\n1\n".encode("utf-16"), "encoding", 1, "UTF-16"),
        (b'y\n1\n"2\n', "quotes", 3, "unexpected end"),
    ],
)
def test_unreadable_content(tmp_path, content, rule, line, words):
    """Content that is no table is refused by its rule, on its line."""
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=words) as caught:
        read_table(path)
    (fault,) = caught.value.faults
    assert (fault.rule, fault.line) == (rule, line)
    assert str(path) in str(caught.value)


def test_missing_file_names_its_neighbours(tmp_path):
    """A wrong file name is answered with the CSV files beside it."""
    written(tmp_path, b"y\n1\n")
    with pytest.raises(DataFileError, match=r"holds data\.csv"):
        read_table(tmp_path / "date.csv")
    with pytest.raises(DataFileError, match="there is no folder"):
        read_table(tmp_path / "nowhere" / "data.csv")
    with pytest.raises(OSError, match="this is a folder"):
        read_table(tmp_path)
