"""Tests of `cellwright.backends.c.inventory`: what is listed, and what is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellwright.backends.c.cache import load
from cellwright.backends.c.folder import fallback_folder
from cellwright.backends.c.identity import remember
from cellwright.backends.c.inventory import ABANDONED, clear, entries
from cellwright.backends.c.levels import LEVELS
from cellwright.backends.c.sidecar import Description
from cellwright.backends.c.toolchain import Compiler

GCC = Compiler(("gcc",), "gcc 12.2.0")


def get(cell: str) -> None:
    """Build a kernel."""
    words = Description(cell, "forward", "float32")
    load((cell,), words, lambda: f"{cell}\n", LEVELS[-1], GCC)


def names(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def test_kernels_are_listed_with_all_their_bytes(builds, kernels: Path):
    """Each kernel of each folder is there once, with the size of its three files."""
    assert entries() == []
    get("lstm")
    get("gru")
    found = entries()
    assert {entry.sidecar.cell for entry in found} == {"lstm", "gru"}
    total = sum(path.stat().st_size for path in kernels.iterdir())
    assert sum(entry.bytes for entry in found) == total

    private = fallback_folder()
    private.mkdir(mode=0o700)
    for path in list(kernels.glob(f"{found[0].sidecar.key}*")):
        path.rename(private / path.name)
    assert {entry.folder for entry in entries()} == {kernels, private}
    removed = {each.folder: (each.kernels, each.bytes) for each in clear()}
    first = found[0]
    assert removed == {
        kernels: (1, total - first.bytes),
        private: (1, first.bytes),
    }
    assert entries() == []


@pytest.mark.parametrize("ending", ["json", "so"])
def test_damaged_kernels_are_not_listed(builds, kernels: Path, ending: str):
    """What would be built anew is no kernel; it is removed with the others."""
    get("lstm")
    get("gru")
    path = min(kernels.glob(f"*.{ending}"))
    path.unlink()
    if ending == "json":
        path.write_text("{", encoding="utf-8")

    assert len(entries()) == 1
    assert [each.kernels for each in clear()] == [2]
    assert names(kernels) == []


def test_files_of_others_stay(builds, kernels: Path, tmp_path: Path):
    """Only what we write is removed, and it is counted."""
    get("lstm")
    remember("a compiler", "gcc")
    ours = sum(path.stat().st_size for path in kernels.iterdir())
    (kernels / "zig" / "o").mkdir(parents=True)
    (kernels / "zig" / "o" / "libc.a").write_bytes(bytes(1000))
    for name, age in [(".build-old", 2 * ABANDONED), (".build-new", 0)]:
        (kernels / name).mkdir()
        when = (kernels / name).stat().st_mtime - age
        os.utime(kernels / name, (when, when))
    others = ["notes.txt", "0123.so", "settings.json", "x" * 64 + ".json", "kernel.c"]
    for name in others:
        (kernels / name).write_text("mine\n", encoding="utf-8")
    (kernels / ("a" * 64 + ".c")).symlink_to(tmp_path / "elsewhere.c")
    (kernels / ("b" * 64 + ".c")).mkdir()

    (removed,) = clear()
    assert (removed.kernels, removed.bytes) == (1, ours + 1000)
    kept = [*others, ".build-new", "a" * 64 + ".c", "b" * 64 + ".c"]
    assert names(kernels) == sorted(kept)
    (again,) = clear()
    assert (again.kernels, again.bytes) == (0, 0)


def test_loaded_kernel_outlives_its_files(builds, kernels: Path):
    """A process goes on with what it has loaded, and asks for it without a build."""
    get("lstm")
    clear()
    get("lstm")

    assert len(builds.texts) == 1
    assert names(kernels) == []
