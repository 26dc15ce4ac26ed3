"""Tests of `cellwright cache`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from cellwright.backends.c.folder import fallback_folder
from cellwright.backends.c.sidecar import Sidecar, sidecar_path
from command_runs import Run

GOLDEN = Path(__file__).parent / "golden"
LONG = "forward and backward, lengths, reset, zoneout, traces of i, f, g and o"
KERNELS: list[tuple[str, str, str, int]] = [
    ("lstm", "forward", "x86-64-v4", 14_900),
    ("peephole_lstm", "forward and backward", "x86-64-v3", 999),
    ("gru", "forward", "plain", 2_100_000),
]


@pytest.fixture
def folder(run: Run, monkeypatch: pytest.MonkeyPatch):
    """Return the folder of the cache, in a place whose clocks show UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield Path(os.environ["CELLWRIGHT_CACHE_DIR"])
    monkeypatch.undo()
    time.tzset()


def put(folder: Path, number: int, cell: str, variant: str, level: str, size: int):
    """Write the files of a kernel, so many bytes in all, without building it."""
    key = f"{number:064x}"
    built = f"2026-02-{28 - number:02}T13:05:59+00:00"
    words = (cell, variant, "float32", level, "gcc 12.2.0", built, 0.25)
    sidecar = Sidecar(key, "a" * 64, *words)
    path = sidecar_path(folder, key)
    path.write_text(sidecar.to_json(), encoding="utf-8")
    library = folder / sidecar.library_name
    library.write_bytes(bytes(size - path.stat().st_size))


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("more", [[], [("a_cell_of_mine" * 8, LONG, "plain", 5000)]])
def test_list_is_the_golden_one(
    run: Run,
    folder: Path,
    golden,
    monkeypatch,
    columns: str,
    more: list[tuple[str, str, str, int]],
):
    """The list is what a person has looked at, also where names are long."""
    monkeypatch.setenv("COLUMNS", columns)
    for number, kernel in enumerate([*KERNELS, *more]):
        put(folder, number, *kernel)
    result = run("cache")

    assert (result.status, result.err) == (0, "")
    shown = result.out.replace(str(folder), "FOLDER")
    assert max(map(len, shown.splitlines())) <= int(columns)
    golden(GOLDEN / f"cache{'-long' if more else ''}-{columns}.txt", shown)


def test_empty_cache_is_no_fault(run: Run, folder: Path):
    """Nothing built yet, or no folder at all, is a list of nothing."""
    folder.rmdir()

    assert run("cache").out == f"0 kernels, 0 B, in {folder}\n"
    assert run("cache", "--clear").out == f"Removed 0 kernels, 0 B, from {folder}\n"
    assert not folder.exists()


def test_clear_removes_the_kernels_and_says_how_many(run: Run, folder: Path):
    """Files of others stay, and status is 0."""
    for number, kernel in enumerate(KERNELS):
        put(folder, number, *kernel)
    (folder / "notes.txt").write_text("mine\n", encoding="utf-8")
    result = run("cache", "--clear")

    assert (result.status, result.err) == (0, "")
    assert result.out == f"Removed 3 kernels, 2.1 MB, from {folder}\n"
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_json_has_every_kernel(run: Run, folder: Path):
    """Programs read the same facts, those of the sidecar among them."""
    for number, kernel in enumerate(KERNELS):
        put(folder, number, *kernel)
    data = json.loads(run("cache", "--json").out)

    assert data["folder"] == str(folder)
    assert data["bytes"] == sum(size for *_, size in KERNELS)
    assert [row["cell"] for row in data["kernels"]] == ["lstm", "peephole_lstm", "gru"]
    assert data["kernels"][0]["bytes"] == 14_900
    assert data["kernels"][0]["compiler"] == "gcc 12.2.0"
    removed = json.loads(run("cache", "--clear", "--json").out)
    total = {"folder": str(folder), "kernels": 3, "bytes": data["bytes"]}
    assert removed == {**total, "folders": [total]}


def test_kernels_in_the_private_folder_are_told(run: Run, folder: Path):
    """What was built where the usual folder could not be written is not hidden."""
    private = fallback_folder()
    private.mkdir(mode=0o700)
    put(folder, 0, *KERNELS[0])
    put(private, 1, *KERNELS[1])
    lines = run("cache").out.splitlines()

    assert lines[:3] == [
        f"1 kernel, 14.9 kB, in {folder}",
        f"1 kernel, 999 B, in {private}",
        "",
    ]
    removed = json.loads(run("cache", "--clear", "--json").out)
    assert (removed["kernels"], removed["bytes"]) == (2, 15_899)
    assert {each["folder"]: each["bytes"] for each in removed["folders"]} == {
        str(folder): 14_900,
        str(private): 999,
    }


def test_every_line_names_the_folder_that_it_is_of(run: Run, folder: Path):
    """Kernels that lie in the private folder alone are never said to be elsewhere."""
    private = fallback_folder()
    private.mkdir(mode=0o700)
    put(private, 1, *KERNELS[1])

    assert run("cache").out.splitlines()[0] == f"1 kernel, 999 B, in {private}"
    assert run("cache", "--clear").out == f"Removed 1 kernel, 999 B, from {private}\n"
    assert run("cache", "--clear").out == f"Removed 0 kernels, 0 B, from {folder}\n"


@pytest.mark.parametrize("below", [".", "kernels"])
def test_what_is_no_folder_is_told(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, below: str
):
    """A file where the folder should be, or above it, is named with the folder used."""
    file = folder / "notes.txt"
    file.write_text("mine\n", encoding="utf-8")
    monkeypatch.setenv("CELLWRIGHT_CACHE_DIR", str(file / below))
    private = fallback_folder()
    told = f"{file} is no folder, so that kernels go to {private}\n"

    assert run("cache").out == f"{told}0 kernels, 0 B, in {private}\n"
    private.mkdir(mode=0o700)
    put(private, 1, *KERNELS[1])
    result = run("cache", "--clear")
    assert (result.status, result.err) == (0, "")
    assert result.out == f"{told}Removed 1 kernel, 999 B, from {private}\n"
    assert json.loads(run("cache", "--json").out)["folder"] == str(private)


def test_folder_that_cannot_be_emptied(run: Run, folder: Path, monkeypatch):
    """What the system refuses is a message with the file's name, and status 2."""
    put(folder, 0, *KERNELS[0])

    def refuse(path: Path, **_: object):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    result = run("cache", "--clear")
    monkeypatch.undo()

    assert (result.status, result.out) == (2, "")
    assert result.err == f"{sidecar_path(folder, '0' * 64)}: Permission denied\n"
