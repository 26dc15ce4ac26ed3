"""Cut a file into statements, and statements into fragments that know their place."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .report import CellError, Fault, Report, Source, Span

MAX_FILE = 64 * 1024
MAX_STATEMENT = 2_000
MAX_STATEMENTS = 1_000
MAX_DEPTH = 100
PRIME = "ʹ"
"""What ' becomes before ast.parse: one character that Python allows in names."""

KEYWORDS = (
    "extends size count input state weight bias constant output for in".split()  # noqa: SIM905
)
_NEW_STATEMENT = re.compile(
    rf"(?:{'|'.join(KEYWORDS)})\s+[A-Za-z]|[A-Za-z]\w*'?\s*=(?!=)"
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a statement's text that starts at a line and a column of its file."""

    source: Source
    line: int
    column: int
    text: str

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """Return the place of ``text[start:end]``, cut at the end of its line."""
        before = self.text[:start]
        row = before.count("\n")
        column = start - (before.rfind("\n") + 1) + (0 if row else self.column)
        stretch = self.text[start:end].split("\n")[0].rstrip()
        return Span(self.source, self.line + row, column, max(1, len(stretch)))

    def cut(self, start: int, end: int | None = None) -> Fragment:
        """Return ``text[start:end]`` without the spaces around it."""
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        place = self.span(start)
        return Fragment(self.source, place.line, place.column, piece.strip())

    def offset(self, row: int, byte: int) -> int:
        """Return the position in ``text`` of a row and byte column of its parse."""
        line = _parsable(self.text).split("\n")[row - 1]
        column = len(line.encode()[:byte].decode())
        lines = self.text.split("\n")
        start = sum(len(line) + 1 for line in lines[: row - 1])
        return start + (column - 1 if row == 1 else column)

    def place(self, node: ast.expr) -> Span:
        """Return the place of a node of this fragment's parse."""
        start, end = self.ends(node)
        return self.span(start, end)

    def ends(self, node: ast.expr) -> tuple[int, int]:
        """Return where in ``text`` a node of this fragment's parse begins and ends."""
        end_row = node.end_lineno or node.lineno
        end = self.offset(end_row, node.end_col_offset or 0)
        return self.offset(node.lineno, node.col_offset), end

    def parse(self, report: Report) -> ast.expr | None:
        """Return the expression of this fragment; nothing is ever evaluated."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "1if": told as a fault, not twice
                tree = ast.parse(_parsable(self.text), mode="eval").body
        except SyntaxError as error:
            place = self.span()
            if "too many nested" in str(error.msg):
                report.add("too-deep", place, "it is nested too deep to be read")
                return None
            if error.offset and error.lineno and error.lineno <= self._rows():
                line = _parsable(self.text).split("\n")[error.lineno - 1]
                byte = len(line[: error.offset - 1].encode())
                start = self.offset(error.lineno, byte)
                place = self.span(min(max(start, 0), len(self.text)))
            report.add("expression", place, f"{self._shown()!r} is not an expression")
            return None
        except (RecursionError, MemoryError, ValueError):
            report.add("too-deep", self.span(), "it is nested too deep to be read")
            return None
        if _depth(tree) > MAX_DEPTH:
            found = f"it is nested {_depth(tree)} deep"
            report.add("too-deep", self.span(), found, "name its parts")
            return None
        return tree

    def _rows(self) -> int:
        return self.text.count("\n") + 1

    def _shown(self) -> str:
        return self.text if len(self.text) <= 60 else self.text[:57] + "..."


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without its comment; lines of one statement are joined by newlines."""

    fragment: Fragment
    indent: int
    comment: str


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
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is not UTF-8"
        raise CellError([Fault("not-text", Span(empty, 1, 0), found)]) from error
    return Source(path.stem, text.replace("\r\n", "\n"), label or path.name)


def statements(source: Source, report: Report) -> list[Statement]:
    """Cut a source into its statements and note what is not text of the language."""
    if len(source.text.encode(errors="replace")) > MAX_FILE:
        found = f"the text has {len(source.text):,} characters"
        report.add("too-long", Span(source, 1, 0), found)
        return []
    found = list(_cut(source, report))
    if len(found) > MAX_STATEMENTS:
        place = found[MAX_STATEMENTS].fragment.span()
        report.add("too-many", place, f"{len(found):,} statements")
        return []
    for statement in found:
        length = len(statement.fragment.text)
        if length > MAX_STATEMENT:
            fix = "name its parts"
            place = statement.fragment.span()
            report.add("too-long", place, f"a statement of {length:,} characters", fix)
    return [s for s in found if len(s.fragment.text) <= MAX_STATEMENT]


def top_comment(text: str) -> list[str]:
    """Return the lines of the comment block at the top of a file."""
    lines: list[str] = []
    for line in text.split("\n"):
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return lines


def _cut(source: Source, report: Report) -> Iterator[Statement]:
    lines: list[str] = []
    comments: list[str] = []
    depth, first = 0, 1
    for number, raw in enumerate(source.text.split("\n"), start=1):
        code, _, comment = raw.partition("#")
        code = code.rstrip()
        if not _characters_fit(source, number, code, report):
            code = ""
        if lines and _NEW_STATEMENT.match(code):
            # One forgotten bracket must not swallow the rest of the file.
            _open_bracket(source, first, lines, report)
            lines, comments, depth = [], [], 0
        if not lines:
            if not code.strip():
                continue
            first = number
        lines.append(code)
        if comment.strip():
            comments.append(comment.strip())
        depth += sum(code.count(c) for c in "([") - sum(code.count(c) for c in ")]")
        if depth <= 0:
            yield _statement(source, first, lines, comments)
            lines, comments, depth = [], [], 0
    if lines:
        _open_bracket(source, first, lines, report)


def _open_bracket(source: Source, first: int, lines: list[str], report: Report) -> None:
    open_at: list[tuple[int, int]] = []
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character in "([":
                open_at.append((row, column))
            elif character in ")]" and open_at:
                open_at.pop()
    row, column = open_at[-1]
    place = Span(source, first + row, column)
    report.add("bracket", place, f"this {lines[row][column]!r} is never closed")


def _statement(
    source: Source, first: int, lines: list[str], comments: list[str]
) -> Statement:
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "\n".join([lines[0].lstrip(), *lines[1:]])
    return Statement(Fragment(source, first, indent, text), indent, " ".join(comments))


def _characters_fit(source: Source, number: int, code: str, report: Report) -> bool:
    for column, character in enumerate(code):
        if not " " <= character <= "~":
            shown = ascii(character)
            fix = "write spaces" if character == "\t" else "write its name in letters"
            place = Span(source, number, column)
            report.add("character", place, f"the character {shown}", fix)
            return False
        if character == '"':
            fix = "there are no strings; a comment starts with #"
            report.add("character", Span(source, number, column), "a quote", fix)
            return False
    stray = re.search(r"(?<![A-Za-z0-9_])'|'(?=['A-Za-z0-9_])", code)
    if stray:
        column = stray.start()
        twice = code[max(0, column - 1) : column + 2].count("'") > 1
        found = "two primes" if twice else "a quote that is not a prime"
        fix = "one step has one before and one after" if twice else ""
        report.add("prime", Span(source, number, column), found, fix)
        return False
    return True


def _parsable(text: str) -> str:
    return "(" + text.replace("'", PRIME) + "\n)"


def _depth(tree: ast.AST) -> int:
    """Return the nesting depth without recursion: 1,500 minus signs must not blow."""
    deepest, stack = 0, [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend(
            (child, depth + isinstance(child, ast.expr))
            for child in ast.iter_child_nodes(node)
        )
    return deepest
