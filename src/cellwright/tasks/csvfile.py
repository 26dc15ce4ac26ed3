"""Read a CSV file into rows of text cells that know their line.

Nothing is guessed about numbers here: `cellwright.tasks.series` does that.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError, DataFileError, Fault

DELIMITERS = ",;\t"
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a file. ``lines[i]`` is the line on which ``rows[i]`` ends."""

    file: str
    sha256: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    delimiter: str = ","


def read_table(path: str | Path) -> Table:
    """Read a CSV file; the delimiter is the one most frequent in the header.

    Args:
        path: The file. Comma, semicolon and tab separate cells.

    Returns:
        The header and the rows, stripped of outer blanks. Empty lines at the end
        are dropped; one in the middle is kept as a row of no cells.

    Raises:
        DataFileError: The file cannot be opened.
        DataError: The file is no UTF-8 text, is empty or has an unclosed quote.
    """
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataFileError(_unreadable(Path(path), error)) from error
    text = _decode(file, content)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    try:
        for row in reader:
            rows.append(tuple(cell.strip() for cell in row))
            lines.append(reader.line_num)
    except csv.Error as error:
        fault = Fault(
            "quotes",
            reader.line_num,
            str(error),
            "close the quote, or double a quote that belongs to the text",
        )
        raise DataError(file, [fault]) from error
    while rows and not any(rows[-1]):
        rows.pop()
        lines.pop()
    if not rows:
        fault = Fault("empty", 0, "no text", "give the file that holds the series")
        raise DataError(file, [fault])
    digest = hashlib.sha256(content).hexdigest()
    header, *body = rows
    return Table(file, digest, header, tuple(body), tuple(lines[1:]), delimiter)


def _unreadable(path: Path, error: OSError) -> str:
    if path.is_dir():
        return f"{path}: a data file is a file; this is a folder"
    fix = "check the path"
    folder = path.parent
    if folder.is_dir() and not path.exists():
        near = sorted(other.name for other in folder.glob("*.csv"))[:5]
        if near:
            fix = f"check the name; the folder {folder} holds {', '.join(near)}"
    elif not folder.is_dir():
        fix = f"check the path: there is no folder {folder}"
    return f"{path}: cannot be read ({error.strerror})\n  fix: {fix}"


def _decode(file: str, content: bytes) -> str:
    try:
        if content[:2] not in _MARKS and b"\0" not in content:
            return content.decode("utf-8-sig")
        place = content.find(b"\0")
        found = _MARKS.get(content[:2], "a zero byte: binary data or UTF-16 text")
        fix = "export the table as CSV, UTF-8"
    except UnicodeDecodeError as error:
        place = error.start
        found = f"the byte 0x{content[place]:02x}, which is not UTF-8"
        fix = f"save it as UTF-8; from Latin-1: iconv -f latin1 -t utf-8 {file}"
    line = content[: max(place, 0)].count(b"\n") + 1
    raise DataError(file, [Fault("encoding", line, found, fix)])
