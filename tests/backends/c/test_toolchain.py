"""Tests of `cellwright.backends.c.toolchain` and `identity`."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path

import pytest

from cellwright.backends.c import toolchain
from cellwright.backends.c.errors import BuildError, CompilerError
from cellwright.backends.c.levels import LEVELS, best_level
from cellwright.backends.c.toolchain import (
    Compiler,
    find_compiler,
    why_unavailable,
)
from kernel_texts import kernel_text

PLAIN = LEVELS[-1]
INSTALL = "install gcc or clang, or pip install 'cellwright[compiler]'"


@pytest.fixture
def programs(kernels: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that writes a program into the only folder of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write


WORKS = """\
echo "$0 $*" >> "$LOG"
case "$*" in *--version) echo "cc 1.2"; exit;; esac
while [ "$1" != -o ]; do shift; done
: > "$2"
"""
"""A compiler whose libraries are empty, which is all that a search looks at."""
BROKEN = """\
echo "$0 $*" >> "$LOG"
case "$*" in *--version) echo "cc 1.2"; exit;; esac
echo "error: no stdint.h"
exit 1
"""
"""A compiler without headers."""


def calls(tmp_path: Path) -> list[str]:
    """Return the calls of the programs that log."""
    log = tmp_path / "log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_no_compiler_at_all(programs):
    """Without a compiler the answer is None, and why says what to install."""
    assert find_compiler() is None
    assert why_unavailable() == f"no C compiler was found: {INSTALL}"


def test_first_name_on_the_path_is_taken(programs):
    """The order is cc, gcc, clang."""
    for name in ("clang", "gcc", "cc"):
        path = programs(name, WORKS)
        found = find_compiler()
        assert found is not None
        assert found.command == (str(path),)
    assert why_unavailable() is None


def test_compiler_that_cannot_build_is_passed_over(programs, tmp_path: Path):
    """A compiler without headers, tried once, does not hide one that works."""
    programs("cc", BROKEN)
    refused = why_unavailable()
    assert refused is not None
    assert "cannot build a library for" in refused
    assert "error: no stdint.h" in refused
    assert refused.endswith(INSTALL)
    assert why_unavailable() == refused
    assert len(calls(tmp_path)) == 2

    working = programs("gcc", WORKS)
    found = find_compiler()
    assert found is not None
    assert found.command == (str(working),)
    assert why_unavailable() is None


def test_compiler_is_asked_once(programs, monkeypatch, tmp_path: Path):
    """A later process runs no compiler, until that is another one."""
    path = programs("cc", WORKS)
    first = find_compiler()
    asked = calls(tmp_path)
    assert first is not None
    assert len(asked) == 2
    assert asked[0].endswith("--version")

    monkeypatch.setattr(toolchain, "_known", {})
    assert find_compiler() == first
    assert calls(tmp_path) == asked
    path.write_text(path.read_text(encoding="utf-8") + "#\n", encoding="utf-8")
    assert find_compiler() == first
    assert len(calls(tmp_path)) == 4


def test_folder_that_cannot_be_written_costs_only_time(programs, kernels: Path):
    """What is learnt about a compiler is forgotten then, and nothing else happens."""
    programs("cc", WORKS)
    kernels.write_text("in the way\n", encoding="utf-8")

    assert find_compiler() is not None


def test_cc_holds_a_command_with_arguments(programs, monkeypatch):
    """CC is split as a shell does, and goes before the path; arguments distinguish."""
    programs("cc", BROKEN)
    programs("mine", WORKS)
    monkeypatch.setenv("CC", "mine '-DNAME=a b'")

    found = find_compiler()
    assert found is not None
    assert found.command == ("mine", "-DNAME=a b")
    assert found.identity == "cc 1.2 ['-DNAME=a b']"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("none-such -O2", "none-such: no such program is found"),
        ("mine", "mine --version: ended with status 3 and said 'no licence'"),
        ("mute", "mute --version: ended with status 0 and without a word"),
        ("broken", "broken cannot build a library for"),
        ("'", "No closing quotation"),
    ],
)
def test_cc_that_cannot_be_used(programs, monkeypatch, named: str, said: str):
    """No other compiler takes the place of the one that was asked for."""
    programs("cc", WORKS)
    programs("mine", "echo no licence; exit 3")
    programs("mute", "exit 0")
    programs("broken", BROKEN)
    monkeypatch.setenv("CC", named)

    with pytest.raises(CompilerError) as caught:
        find_compiler()
    assert str(caught.value).startswith(f"CC={named}: cannot be used: ")
    assert said in str(caught.value)
    why = why_unavailable()
    assert why is not None
    assert said in why
    assert "\n" not in why


def test_level_that_cannot_be_is_a_reason(programs, monkeypatch):
    """A wrong CELLWRIGHT_LEVEL is told by the report too."""
    programs("cc", WORKS)
    monkeypatch.setenv("CELLWRIGHT_LEVEL", "v4")

    assert (why_unavailable() or "").startswith("CELLWRIGHT_LEVEL=v4: is no level")
    monkeypatch.setenv("CC", "cc")
    assert (why_unavailable() or "").startswith("CELLWRIGHT_LEVEL=v4: is no level")


def test_library_is_built_and_runs(kernels: Path, tmp_path: Path, compiler: Compiler):
    """A C text becomes a library for the best level, without a warning."""
    source = tmp_path / "kernel.c"
    source.write_text(kernel_text(2), encoding="utf-8")
    library = tmp_path / "kernel.so"
    toolchain.compile(source, library, compiler, best_level(), ["-Wall", "-Werror"])

    assert ctypes.CDLL(str(library)).run((ctypes.c_int64 * 1)(40)) == 42
    assert list((tmp_path / "temporary").iterdir()) == []


def test_fault_of_a_source_is_told(kernels, tmp_path: Path, compiler: Compiler):
    """The error holds the command, its status and what the compiler said."""
    source = tmp_path / "kernel.c"
    source.write_text("int run(void) { return nothing_like_it; }\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        toolchain.compile(source, tmp_path / "kernel.so", compiler, PLAIN)

    message = str(caught.value)
    assert message.startswith(f"{compiler.command[0]}: ended with status 1\n")
    assert f" {source} -o " in message
    assert "nothing_like_it" in message
    assert not (tmp_path / "kernel.so").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "mine: ended with status 0 and wrote no library"),
        ("kill -9 $$", "mine: was killed by signal 9"),
        (
            "echo /x.s: No space left on device; exit 1",
            "the disk is full, or a quota is used up",
        ),
        ("i=0; while [ $i -lt 99 ]; do i=$((i+1)); echo line $i; done; exit 1", None),
    ],
)
def test_compiler_that_fails(programs, tmp_path: Path, script: str, said: str | None):
    """How it ended is said, with the end of what it printed."""
    command = (str(programs("mine", script)),)
    with pytest.raises(BuildError) as caught:
        toolchain.compile(
            tmp_path / "a.c", tmp_path / "a.so", Compiler(command, "mine"), PLAIN
        )

    message = str(caught.value)
    if said is None:
        assert "line 79" not in message
        assert message.endswith("line 98\n    line 99")
    else:
        assert said in message


def test_compiler_that_went_away(kernels, tmp_path: Path):
    """A compiler that was removed after it was found is an error like others."""
    gone = Compiler((str(tmp_path / "gone"),), "gone")
    with pytest.raises(BuildError, match="gone: does not run"):
        toolchain.compile(tmp_path / "a.c", tmp_path / "a.so", gone, PLAIN)


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (
            "gcc",
            ["-march=x86-64-v4 -mprefer-vector-width=512", "-march=x86-64-v3", ""],
        ),
        (
            "zig cc",
            [
                "-mcpu=x86_64_v4 -fno-sanitize=undefined -g0 -mprefer-vector-width=512",
                "-mcpu=x86_64_v3 -fno-sanitize=undefined -g0",
                "-mcpu=baseline -fno-sanitize=undefined -g0",
            ],
        ),
    ],
)
def test_levels_are_told_in_the_compilers_words(command: str, flags: list[str]):
    """For zig there are other names and defaults, and 64 bytes are to stay whole."""
    asked = Compiler(tuple(command.split()), "")

    assert [" ".join(toolchain._level_flags(asked, level)) for level in LEVELS] == flags


@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="the package ziglang, an extra, is not installed",
)
def test_zig_takes_the_place_of_a_missing_compiler(
    kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With no compiler on the path and no home, the ziglang package builds."""
    monkeypatch.setenv("PATH", str(tmp_path / "temporary"))
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("ZIG_GLOBAL_CACHE_DIR")
    found = find_compiler()
    assert found is not None, why_unavailable()
    assert Path(found.command[0]).stem == "zig"
    assert found.identity.startswith("zig 0.")

    source = tmp_path / "kernel.c"
    source.write_text(kernel_text(2), encoding="utf-8")
    libraries = [tmp_path / "one.so", tmp_path / "other" / "two.so"]
    for library in libraries:
        library.parent.mkdir(exist_ok=True)
        toolchain.compile(source, library, found, best_level(), ["-Wall", "-Werror"])
        assert ctypes.CDLL(str(library)).run((ctypes.c_int64 * 1)(40)) == 42
    assert libraries[0].read_bytes() == libraries[1].read_bytes()


def test_ziglang_is_found_without_running_python(programs, monkeypatch, tmp_path):
    """The package's program is run itself, after the system's compilers."""
    package = tmp_path / "ziglang"
    package.mkdir()
    zig = programs("zig", WORKS)
    binary = package / ("zig.exe" if sys.platform == "win32" else "zig")
    binary.write_bytes(zig.read_bytes())
    spec = importlib.util.spec_from_file_location(
        "ziglang", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)

    assert list(toolchain._candidates()) == [(str(binary), "cc")]
    programs("gcc", WORKS)
    assert [Path(command[0]).name for command in toolchain._candidates()] == [
        *("gcc", binary.name)
    ]
