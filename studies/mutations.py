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
PYTEST = "-m pytest -x -q -p no:cacheprovider --cell-seed=1 --hypothesis-seed=1"


@dataclass(frozen=True)
class Edit:
    """A wrong edit; the head of `mutations.txt` says what each part is."""

    area: str
    file: str
    wrong: str
    old: str
    new: str
    tests: str
    mended: str
    same: str

    def __str__(self) -> str:
        return f"{self.area}: {self.file}: {self.wrong}"


def read(path: Path) -> Iterator[Edit]:
    """Read a list of edits."""
    area = file = ""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        parts: dict[str, list[str]] = {mark: [] for mark in " -+>!="}
        for line in block.rstrip("\n").split("\n"):
            if line.startswith("## "):
                area, _, file = line.removeprefix("## ").partition(": ")
            elif line[:2] in ("- ", "+ ", "> ", "! ", "= "):
                parts[line[0]].append(line[2:])
            elif not line.startswith("#"):
                parts[" "].append(line)
        if parts["-"]:
            yield Edit(area, file, *("\n".join(lines) for lines in parts.values()))


def main() -> None:
    """Run the study, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="edits whose words match this")
    parser.add_argument("--own", action="store_true", help="run no further tests")
    options = parser.parse_args()
    work = HERE.parent / "runs" / "mutations.jsonl"
    work.parent.mkdir(exist_ok=True)
    edits = list(read(HERE / "mutations.txt"))
    with TemporaryDirectory(prefix="mutations-") as folder, work.open("a+") as file:
        copy = clean_copy(Path(folder) / "copy")
        keys = {edit: key_of(edit, copy) for edit in edits}
        file.seek(0)
        rows = {row["key"]: row for row in map(json.loads, file)}
        for own in (True,) if options.own else (True, False):
            for edit, key in keys.items():
                noticed = rows.get(key, {}).get("verdict") == "noticed"
                if edit.same or noticed or not re.search(options.only, str(edit)):
                    continue
                rows[key] = {"key": key, **attempt(edit, copy, own)}
                file.write(json.dumps(rows[key]) + "\n")
                file.flush()
                print(f"{edit}: {rows[key]['verdict']} {rows[key]['by']}", flush=True)
    found: list[dict[str, Any]] = []
    for edit, key in keys.items():
        unknown = {"verdict": "changes nothing" if edit.same else "not run", "by": ""}
        found.append({**asdict(edit), **rows.get(key, unknown)})
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


def key_of(edit: Edit, copy: Path) -> str:
    """Return what names an edit of a file as it is now; end if it does not fit."""
    text = (copy / edit.file).read_text(encoding="utf-8")
    if (count := text.count(edit.old)) != 1:
        sys.exit(f"{edit}: what it replaces stands {count} times in the file")
    told = [edit.file, edit.old, edit.new, edit.tests, text]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def attempt(edit: Edit, copy: Path, own: bool) -> dict[str, Any]:
    """Return whether the edit's own tests notice it, or any."""
    tests = edit.tests if own else ALL
    limit = green(copy, tests)
    path = copy / edit.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(edit.old, edit.new), encoding="utf-8")
    by = first_failure(copy, tests, limit)
    path.write_text(right, encoding="utf-8")
    verdict = "noticed" if by else "let pass" if own else "survived"
    return {"verdict": verdict, "by": by or "", "met": tests}


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
    with TemporaryDirectory(prefix="mutations-") as folder:
        own = {
            **dict.fromkeys(("TMPDIR", "XDG_CACHE_HOME"), folder),
            "CELLWRIGHT_CACHE_DIR": f"{folder}/kernels",
            "PYTHONPATH": os.pathsep.join([f"{copy}/src", f"{copy}/tests"]),
            # Bytecode is found by time and size, which an edit may leave as they were.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.Popen(
            [sys.executable, *PYTEST.split(), *shlex.split(tests)],
            cwd=copy,
            env={**os.environ, **own},
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
    if process.returncode == 0:
        return None
    if found := re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE):
        return found.group(1)
    died = re.search(r'File ".*?(tests/[^"]+)", line \d+ in (test_\w+)', text)
    where = "::".join(died.groups()) if died else "pytest"
    return f"{where} ended with {process.returncode}"


def report(found: Sequence[Mapping[str, str]]) -> str:
    """Return the study as a Markdown page."""
    counts = Counter(row["verdict"] for row in found)
    own = sum(row["by"] != "" and row["met"] == row["tests"] for row in found)
    mended = sum(row["mended"] != "" for row in found)
    compiler = find_compiler()
    said = compiler.identity if compiler else "no compiler"
    paragraphs = [
        f"# {len(found)} wrong edits, and the tests that notice them",
        (
            "Made by `python studies/mutations.py` from the list in `mutations.txt`: "
            "one edit at a time, in a clean copy with a kernel cache of its own. An "
            "edit meets the tests that a developer would expect to notice it, which "
            f"are green without it, and if they let it pass `pytest {ALL}`."
        ),
        ", ".join(f"{name} **{count}**" for name, count in counts.items()) + ".",
        (
            f"{own} are noticed by the tests that were expected to. {mended} survived "
            "whatever they met until a test was written for the promise that they "
            "break; it is among those that are expected to notice them now. "
            f"{runnable_levels()[0].name}, {said}, torch {torch.__version__}."
        ),
        _table(["area", "file", "edit", "verdict", "noticed by"], map(_cells, found)),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _cells(row: Mapping[str, str]) -> list[str]:
    verdict, by = row["verdict"], row["by"]
    verdict += f", survived until `{row['mended']}`" if row["mended"] else ""
    verdict += f": {row['same']}" if row["same"] else ""
    name = row["file"].removeprefix("src/cellwright/")
    return [row["area"], f"`{name}`", row["wrong"], verdict, f"`{by}`" if by else ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
