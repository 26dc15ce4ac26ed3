"""Run the commands of the questions, and take what answers out of their output."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from cellwright.cli.main import main
from question_table import Asked, Question, Sizes

WIDE = "1000"
"""Columns in which no line of an output is wrapped."""


@dataclass(frozen=True)
class Answer:
    """What a command answered.

    Args:
        command: as one types it.
        status: with which it ended.
        lines: of the output, those that answer.
        picture: the SVG that it wrote, if it did.
    """

    command: str
    status: int
    lines: tuple[str, ...]
    picture: str = ""


def answers(question: Question, sizes: Sizes) -> list[Answer]:
    """Return what each command of a question says, with some sizes."""
    return [answer(asked, sizes) for asked in question.commands]


def answer(asked: Asked, sizes: Sizes) -> Answer:
    """Return what one command says."""
    line = [filled(word, sizes) for word in asked.line]
    with own_folder():
        status, out, err = run(line)
        pictures = [path.read_text("utf-8") for path in Path().glob("*.svg")]
    wanted = tuple(filled(start, sizes) for start in asked.lines)
    kept = (*picked(out.splitlines(), wanted), *err.splitlines())
    command = " ".join(["cellwright", *map(quoted, line)])
    return Answer(command, status, kept, "".join(pictures))


def filled(text: str, sizes: Sizes) -> str:
    """Put sizes in their places; other braces there are none."""
    return re.sub(r"\{(\w)\}", lambda found: str(sizes[found[1]]), text)


def quoted(word: str) -> str:
    """Put a word into quotes where a shell wants them."""
    if not re.search(r"[^\w.,:/-]", word):
        return word
    return f'"{word}"' if "'" in word else f"'{word}'"


@contextmanager
def own_folder() -> Iterator[None]:
    """Work in a new folder, and come back."""
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def run(line: Sequence[str]) -> tuple[int, str, str]:
    """Run a command, and return its status and what it said, results and messages."""
    out, err = StringIO(), StringIO()
    wide = mock.patch.dict(os.environ, {"COLUMNS": WIDE})
    with wide, redirect_stdout(out), redirect_stderr(err):
        status = main(list(line))
    return status, out.getvalue(), err.getvalue()


def picked(lines: Sequence[str], starts: Sequence[str]) -> Iterator[str]:
    """Yield the lines that are asked for; of several layers each below its own name."""
    heads = [line for line in lines if _HEAD.match(line)]
    head = ""
    for line in lines:
        if _HEAD.match(line):
            head = line if len(heads) > 1 else ""
        elif is_wanted(line, starts):
            if head:
                yield head
            head = ""
            yield line


_HEAD = re.compile(r"\S+  \w+\(")
"""The line above what is said of a layer: its path, and the layer in Python's words."""


def is_wanted(text: str, starts: Sequence[str]) -> bool:
    """Whether a line begins as one of those that are asked for."""
    plain = re.sub(r" +", " ", text).strip()
    return bool(plain) and (not starts or plain.startswith(tuple(starts)))
