"""Break the code on purpose, one edit at a time, and see which test notices.

``python studies/mutations.py`` tries the edits of ``mutations.txt``, each in a clean
copy of the last commit, and writes ``mutations.md`` and ``mutations.json`` beside it.
It can be stopped at any time: what was noticed is kept below ``runs/``, and the same
command goes on from there; what survived is tried anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cellwright.backends.c.levels import runnable_levels
from cellwright.backends.c.toolchain import find_compiler

HERE = Path(__file__).parent
ALL = "tests/passes tests/autograd tests/nn tests/backends tests/parity tests/property"
"""What an edit meets that its own tests let pass."""
SEED = 1
"""Of the random cells: the same edit meets the same tests."""


@dataclass(frozen=True)
class Edit:
    """A wrong edit: a text that stands once in a file, and another in its place.

    Args:
        area: of the project.
        file: that is edited.
        wrong: what the edit does wrong, in words.
        old: the text.
        new: what takes its place.
        tests: that ought to notice, as arguments of pytest.
        mended: the test that was written because every other let the edit pass.
        same: why the edit changes no result, where it does not.
    """

    area: str
    file: str
    wrong: str
    old: str
    new: str
    tests: str
    mended: str
    same: str


def read(path: Path) -> Iterator[Edit]:
    """Read a list of edits; its head says how they are written."""
    head = {"area": "", "file": ""}
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        parts: dict[str, list[str]] = {mark: [] for mark in "-+>!= "}
        for line in block.rstrip("\n").split("\n"):
            if line.startswith("## "):
                head["area"], _, head["file"] = line[3:].partition(": ")
            elif not line.startswith("#"):
                mark = line[0] if line[:1] in parts and line[1:2] in ("", " ") else " "
                parts[mark].append(line if mark == " " else line[2:])
        joined = {mark: "\n".join(lines) for mark, lines in parts.items()}
        if joined["-"]:
            texts = {"wrong": joined[" "], "old": joined["-"], "new": joined["+"]}
            more = {"tests": joined[">"], "mended": joined["!"], "same": joined["="]}
            yield Edit(**head, **texts, **more)


def main() -> None:
    """Run the study, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="edits whose words hold this")
    parser.add_argument("--own", action="store_true", help="run no further tests")
    options = parser.parse_args()
    work = HERE.parent / "runs" / "mutations.jsonl"
    work.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="mutations-") as folder, work.open("a+") as file:
        copy = clean_copy(Path(folder) / "copy")
        edits = list(read(HERE / "mutations.txt"))
        check_all_fit(edits, copy)
        keys = [key_of(edit, copy) for edit in edits]
        file.seek(0)
        rows = {row["key"]: row for row in map(json.loads, file)}
        for own in (True,) if options.own else (True, False):
            for edit, key in zip(edits, keys, strict=True):
                said = f"{edit.area} {edit.file} {edit.wrong}"
                noticed = rows.get(key, {}).get("verdict") == "noticed"
                if edit.same or noticed or options.only not in said:
                    continue
                rows[key] = {"key": key, **attempt(edit, copy, own)}
                file.write(json.dumps(rows[key]) + "\n")
                file.flush()
                print(f"{rows[key]['verdict']}: {said}, {rows[key]['by']}", flush=True)
    found = [
        {**asdict(edit), **outcome(edit, rows.get(key))}
        for edit, key in zip(edits, keys, strict=True)
    ]
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (HERE / "mutations.json").write_text(text, encoding="utf-8")
    (HERE / "mutations.md").write_text(report(found), encoding="utf-8")


def clean_copy(to: Path) -> Path:
    """Lay the last commit's files out in a new folder."""
    to.mkdir()
    archive = ["git", "-C", str(HERE.parent), "archive", "HEAD"]
    files = subprocess.run(archive, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(to)], input=files, check=True)
    return to


def check_all_fit(edits: Sequence[Edit], copy: Path) -> None:
    """End with the list of all edits whose text does not stand exactly once."""
    counts = {e: (copy / e.file).read_text("utf-8").count(e.old) for e in edits}
    misfits = [f"{e.file}: {n} times {e.old!r}" for e, n in counts.items() if n != 1]
    if misfits:
        sys.exit("\n".join(misfits))


def key_of(edit: Edit, copy: Path) -> str:
    """Return what names an edit of a file as it is now."""
    told = [edit.file, edit.old, edit.new, edit.tests, (copy / edit.file).read_text()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def attempt(edit: Edit, copy: Path, own: bool) -> dict[str, Any]:
    """Return whether the edit's own tests notice it, or any."""
    tests = edit.tests if own else ALL
    limit = green(copy, tests)
    path = copy / edit.file
    right = path.read_text(encoding="utf-8")
    begin = time.perf_counter()
    path.write_text(right.replace(edit.old, edit.new), encoding="utf-8")
    by = first_failure(copy, tests, limit)
    path.write_text(right, encoding="utf-8")
    seconds = round(time.perf_counter() - begin, 1)
    verdict = "noticed" if by else "let pass" if own else "survived"
    return {"verdict": verdict, "by": by or "", "met": tests, "seconds": seconds}


_limits: dict[str, float] = {}


def green(copy: Path, tests: str) -> float:
    """Return how long tests may take, once they pass without any edit."""
    if tests not in _limits:
        begin = time.perf_counter()
        if found := first_failure(copy, tests, None):
            sys.exit(f"{tests}: not green without an edit, see {found}")
        _limits[tests] = 120 + 5 * (time.perf_counter() - begin)
    return _limits[tests]


def first_failure(copy: Path, tests: str, limit: float | None) -> str | None:
    """Run tests in a process that shares no cache, and say what failed first."""
    command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [f"--cell-seed={SEED}", f"--hypothesis-seed={SEED}"]
    with TemporaryDirectory(prefix="mutations-") as folder:
        kept = dict.fromkeys(("TMPDIR", "XDG_CACHE_HOME"), folder)
        process = subprocess.Popen(
            [sys.executable, *command, *shlex.split(tests)],
            cwd=copy,
            # Bytecode is found by time and size, which an edit may leave as they were.
            env={
                **os.environ,
                **kept,
                "CELLWRIGHT_CACHE_DIR": f"{folder}/kernels",
                "PYTHONPATH": os.pathsep.join(f"{copy}/{p}" for p in ("src", "tests")),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            text, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"no end within {limit:.0f} s"
    if process.returncode in (4, 5):
        sys.exit(f"{tests}: pytest finds no such tests\n{text}")
    return said_by(text, process.returncode) if process.returncode else None


def said_by(text: str, code: int) -> str:
    """Return the test that failed, or in which the process died."""
    if found := re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE):
        return found.group(1)
    died = re.search(r'File ".*?(tests/[^"]+)", line \d+ in (test_\w+)', text)
    where = "::".join(died.groups()) if died else "somewhere"
    return f"{where}, where the process ended with {code}"


def outcome(edit: Edit, row: Mapping[str, Any] | None) -> dict[str, str]:
    """Return an edit's verdict and who noticed it."""
    verdict = "changes nothing" if edit.same else "not run"
    row = row or {"verdict": verdict, "by": "", "met": ""}
    return {name: row[name] for name in ("verdict", "by", "met")}


def report(found: Sequence[Mapping[str, str]]) -> str:
    """Return the study as a Markdown page."""
    counts = Counter(row["verdict"] for row in found)
    own = sum(
        row["verdict"] == "noticed" and row["met"] == row["tests"] for row in found
    )
    mended = sum(bool(row["mended"]) for row in found)
    compiler = find_compiler()
    identity = "no compiler" if compiler is None else compiler.identity
    paragraphs = [
        f"# {len(found)} wrong edits, and the tests that notice them",
        (
            "Made by `python studies/mutations.py` from the list in `mutations.txt`. One "
            "edit at a time, in a clean copy with a kernel cache of its own: first the "
            "tests that a developer would expect to notice it, which are green without "
            f"the edit, then, if they let it pass, `pytest {ALL}`."
        ),
        _table(["verdict", "edits"], [[name, str(n)] for name, n in counts.items()]),
        (
            f"Of those that are noticed {own} are by the tests that were expected to. "
            f"{mended} survived until a test was written for the promise that they break. "
            f"{runnable_levels()[0].name}, {identity}, torch {torch.__version__}."
        ),
        _table(["area", "file", "edit", "verdict", "noticed by"], map(_cells, found)),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _cells(row: Mapping[str, str]) -> list[str]:
    verdict = row["verdict"]
    if row["mended"]:
        verdict += f", survived until `{row['mended']}`"
    if row["same"]:
        verdict += f": {row['same']}"
    by = f"`{row['by']}`" if "::" in row["by"] else row["by"]
    name = row["file"].removeprefix("src/cellwright/")
    return [row["area"], f"`{name}`", row["wrong"], verdict, by]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
