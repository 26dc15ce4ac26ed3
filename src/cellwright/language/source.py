"""Cut a file into statements, and note what is not text of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from .fragment import Fragment
from .report import CellError, Fault, Report, Source, Span

MAX_FILE = 64 * 1024
MAX_STATEMENT = 2_000
MAX_STATEMENTS = 1_000
KEYWORDS = (
    "extends size count input state weight bias constant output for in".split()  # noqa: SIM905
)
_NEW_STATEMENT = re.compile(
    rf"\s*(?:(?:{'|'.join(KEYWORDS[:-1])})\s+[A-Za-z]"
    r"|[A-Za-z]\w*'?(?:\s*,\s*[A-Za-z]\w*'?)*\s*=(?!=))"
)
_STRAY_PRIME = re.compile(r"(?<![A-Za-z0-9_])'|'(?=['A-Za-z0-9_])")
# Control characters and those that turn the direction of what follows: a comment is
# printed to terminals.
_IN_COMMENTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CLOSES = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without its comment; lines of one statement are joined by newlines.

    Args:
        broken: a fault is noted already; only its names are of use.
    """

    fragment: Fragment
    indent: int
    comment: str
    broken: bool = False


def read_source(path: Path, label: str | None = None) -> Source:
    """Return the source in a file.

    Raises:
        CellError: when it is too long or not text.
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    empty = Source(path.stem, "", label or path.name)
    if len(data) > MAX_FILE:
        size = f"the file has {path.stat().st_size:,} bytes"
        raise CellError([Fault("too-long", Span(empty, 1, 0), size)])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {error.start:,} is no UTF-8"
        raise CellError([Fault("not-text", Span(empty, 1, 0), found)]) from None
    return Source(path.stem, text, label or path.name)


def statements(source: Source, report: Report) -> list[Statement]:
    """Cut a source into its statements and note what is not text of the language.

    Raises:
        CellError: when the whole is no text or too long to be looked at.
    """
    _check_whole(source)
    found = list(_cut(source, report))
    if len(found) > MAX_STATEMENTS:
        place = found[MAX_STATEMENTS].fragment.span()
        raise CellError([Fault("too-many", place, f"{len(found):,} statements")])
    return found


def top_lines(text: str) -> list[str]:
    """Return the lines above the first statement: comments, and empty ones."""
    lines = text.split("\n")
    return list(takewhile(lambda line: line.strip()[:1] in ("", "#"), lines))


def top_comment(text: str) -> list[str]:
    """Return what the comments above the first statement say, line by line."""
    return [line.strip().lstrip("#").strip() for line in top_lines(text)]


def _check_whole(source: Source) -> None:
    length = len(source.text.encode(errors="replace"))
    if length > MAX_FILE:
        place = Span(Source(source.name, "", source.label), 1, 0)
        raise CellError([Fault("too-long", place, f"the text has {length:,} bytes")])
    bad = _SURROGATE.search(source.text) or re.search("\0", source.text)
    if bad:
        line = source.text.count("\n", 0, bad.start()) + 1
        column = bad.start() - (source.text.rfind("\n", 0, bad.start()) + 1)
        found = f"the character {bad.group()!a}"
        raise CellError([Fault("not-text", Span(source, line, column), found)])


def _cut(source: Source, report: Report) -> Iterator[Statement]:
    cutter = _Cutter(source, report)
    for number, raw in enumerate(source.text.split("\n"), start=1):
        code, _, comment = raw.partition("#")
        code = code.rstrip()
        fits = _characters_fit(source, number, code, comment, report)
        if _NEW_STATEMENT.match(code):
            # One forgotten bracket must not swallow the rest of the file.
            yield from cutter.end()
        cutter.add(number, code, comment.strip(), fits)
        if cutter.depth <= 0:
            yield from cutter.end()
    yield from cutter.end()


class _Cutter:
    """The lines of a statement, until its brackets are closed."""

    def __init__(self, source: Source, report: Report):
        self._source = source
        self._report = report
        self._start_over()

    def _start_over(self) -> None:
        self._first = 0
        self._lines: list[str] = []
        self._comments: list[str] = []
        self._fits = True
        self.depth = 0

    def add(self, number: int, code: str, comment: str, fits: bool) -> None:
        """Add a line."""
        if not self._lines:
            self._first = number
        self._lines.append(code)
        if comment:
            self._comments.append(comment)
        self._fits = self._fits and fits
        self.depth += sum(code.count(c) for c in "([") - sum(map(code.count, ")]"))

    def end(self) -> Iterator[Statement]:
        """Yield the statement, unless its lines are blank, and begin the next one."""
        lines = self._lines
        if any(map(str.strip, lines)):
            fits = self._fits and self._brackets_fit()
            indent = len(lines[0]) - len(lines[0].lstrip())
            text = "\n".join([lines[0].lstrip(), *lines[1:]])
            fragment = Fragment(self._source, self._first, indent, text)
            if len(text) > MAX_STATEMENT:
                found = f"a statement of {len(text):,} characters"
                self._report.add("too-long", fragment.span(), found, "name its parts")
                fits = False
            comment = " ".join(self._comments)
            yield Statement(fragment, indent, comment, broken=not fits)
        self._start_over()

    def _brackets_fit(self) -> bool:
        open_at: list[tuple[int, int, str]] = []
        for row, line in enumerate(self._lines):
            for column, character in enumerate(line):
                if character in "([{":
                    open_at.append((row, column, character))
                elif character in _CLOSES:
                    place = Span(self._source, self._first + row, column)
                    if not open_at:
                        found = f"this {character!r} closes nothing"
                        self._report.add("bracket", place, found)
                        return False
                    opened = open_at.pop()[2]
                    if opened != _CLOSES[character]:
                        found = f"this {character!r} closes {opened!r}"
                        self._report.add("bracket", place, found)
                        return False
        if open_at:
            row, column, character = open_at[-1]
            place = Span(self._source, self._first + row, column)
            self._report.add("bracket", place, f"this {character!r} is never closed")
        return not open_at


def _characters_fit(
    source: Source, number: int, code: str, comment: str, report: Report
) -> bool:
    for column, character in enumerate(code):
        if " " <= character <= "~" and character not in '"\\`':
            continue
        fix = "write its name in letters"
        if character == "\t":
            fix = "write spaces"
        elif character in '"`':
            fix = "there are no strings; a comment starts with #"
        elif character == "\\":
            fix = "a line goes on while a bracket is open"
        place = Span(source, number, column)
        report.add("character", place, f"the character {character!a}", fix)
        return False
    stray = _STRAY_PRIME.search(code)
    if stray:
        column = stray.start()
        twice = code[max(0, column - 1) : column + 2].count("'") > 1
        found = "two primes" if twice else "a quote that is not a prime"
        fix = "one step has one before and one after" if twice else ""
        report.add("prime", Span(source, number, column), found, fix)
        return False
    bad = _IN_COMMENTS.search(comment)
    if bad:
        column = len(source.line(number)) - len(comment) + bad.start()
        found = f"the character {bad.group()!a} in a comment"
        report.add("character", Span(source, number, column), found)
    return True
