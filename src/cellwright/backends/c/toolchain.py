"""Find a C compiler that works here, and build a shared library with it."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellwright.errors import CellwrightError

from .errors import BuildError, CompilerError, LevelError
from .folder import ZIG, disk_full, writable_folder
from .identity import ask, fingerprint, is_zig, recall, remember
from .levels import Level, best_level

NAMES = ("cc", "gcc", "clang")
"""What a system's compiler is called, in the order in which we look."""
# Not -ffast-math: it lets a compiler assume that there is no NaN and change sums. Not
# -O3: vectors and unrolled loops stand in the text, and GCC 12 makes no kernel faster.
FLAGS = (
    "-O2",
    "-std=gnu11",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    # What sched.h of Linux has for threads.h.
    "-D_GNU_SOURCE",
)
SHOWN_LINES = 20
"""How much of a compiler's output an error shows: its end."""
NO_ROOM = re.compile(r"No space left|NoSpaceLeft|[Qq]uota exceeded|DiskQuota")

# What a kernel asks of a compiler: headers, libm, vector extensions.
_TRIAL = """\
#include <math.h>
#include <stdint.h>
typedef float lanes __attribute__((vector_size(16)));
int64_t trial(lanes *v, double x) { *v += *v; return (int64_t)exp(x); }
"""
_INSTALL = "install gcc or clang, or pip install 'cellwright[compiler]'"

# What this process has learnt: an identity, or why a compiler is of no use.
_known: dict[str, str | CompilerError] = {}


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler: the command that runs it, and which one it is in words."""

    command: tuple[str, ...]
    identity: str


def find_compiler() -> Compiler | None:
    """Return the C compiler that builds kernels, or None if there is none.

    It is the one that the environment variable CC names, else the first of ``cc``,
    ``gcc`` and ``clang`` that can build a library, else zig's from the ``ziglang``
    package.

    Raises:
        CompilerError: CC names one that cannot be used; no other takes its place.
        LevelError: CELLWRIGHT_LEVEL cannot be used.
    """
    return _search()[0]


def why_unavailable() -> str | None:
    """Return why no kernel can be built here, in one line, or None if one can."""
    try:
        compiler, refused = _search()
    except CellwrightError as error:
        return "; ".join(line.strip() for line in str(error).splitlines())
    if compiler is not None:
        return None
    if refused:
        return f"no C compiler works ({'; '.join(refused)}): {_INSTALL}"
    return f"no C compiler was found: {_INSTALL}"


def compile(  # noqa: A001  # what it does; it is used as toolchain.compile
    source_path: Path,
    output_path: Path,
    compiler: Compiler,
    level: Level,
    extra: Sequence[str] = (),
) -> None:
    """Build a shared library from one C file.

    Args:
        source_path: the C file.
        output_path: the library to write; what the compiler keeps aside meanwhile
            goes to the same folder.
        compiler: what builds it.
        level: the instruction set it may use.
        extra: further options, such as ``-Wall``.

    Raises:
        BuildError: The compiler failed; its last lines are in the message.
    """
    command = [*compiler.command, *FLAGS, *_level_flags(compiler, level), *extra]
    command += [str(source_path), "-o", str(output_path), "-lm"]
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(output_path.parent)}
    if is_zig(compiler.command) and "ZIG_GLOBAL_CACHE_DIR" not in environment:
        # zig's own choice needs a home, and zig hangs where that cannot be written.
        environment["ZIG_GLOBAL_CACHE_DIR"] = str(writable_folder() / ZIG)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except OSError as error:
        raise BuildError(
            f"{compiler.command[0]}: does not run ({error.strerror})"
        ) from error
    if done.returncode != 0 and NO_ROOM.search(done.stdout):
        raise disk_full(output_path.parent)
    if done.returncode != 0 or not output_path.is_file():
        raise BuildError(_failure(command, done))


def _level_flags(compiler: Compiler, level: Level) -> list[str]:
    """Return the options that tell a compiler the instruction set."""
    flags = [level.march_flag] if level.march_flag else []
    if is_zig(compiler.command):
        # zig takes -mcpu, writes _ for -, and means this machine where nothing is
        # said; its checks for undefined behaviour need a runtime of its own, and what
        # it writes for debuggers differs from build to build.
        name = level.name.replace("-", "_") if level.march_flag else "baseline"
        flags = [f"-mcpu={name}", "-fno-sanitize=undefined", "-g0"]
    if level.vector_bytes == 64:
        # Clang splits vectors of 64 bytes in two unless it is asked not to.
        flags.append("-mprefer-vector-width=512")
    return flags


def _failure(command: Sequence[str], done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stdout.rstrip().splitlines()
    shown = [f"    {line}" for line in lines[-SHOWN_LINES:]]
    if done.returncode == 0:
        how = "ended with status 0 and wrote no library"
    elif done.returncode < 0:
        how = f"was killed by signal {-done.returncode}"
    else:
        how = f"ended with status {done.returncode}"
    return "\n".join([f"{command[0]}: {how}", f"  {shlex.join(command)}", *shown])


def _search() -> tuple[Compiler | None, list[str]]:
    """Return the compiler to use, and why those before it are of no use."""
    if named := os.environ.get("CC", "").strip():
        try:
            return _examined(tuple(shlex.split(named))), []
        except LevelError:
            raise
        except (CompilerError, ValueError) as error:
            raise CompilerError(
                f"CC={named}: cannot be used: {error}\n"
                "  fix: let CC name a C compiler that works, or unset it"
            ) from error
    refused: list[str] = []
    for command in _candidates():
        try:
            return _examined(command), refused
        except CompilerError as error:
            refused.append(str(error))
    return None, refused


def _candidates() -> Iterator[tuple[str, ...]]:
    for name in NAMES:
        if found := shutil.which(name):
            yield (found,)
    package = importlib.util.find_spec("ziglang")
    for folder in (package and package.submodule_search_locations) or ():
        # Run as it is: `python -m ziglang` would look in the current folder first.
        yield (
            str(Path(folder) / ("zig.exe" if sys.platform == "win32" else "zig")),
            "cc",
        )


def _examined(command: tuple[str, ...]) -> Compiler:
    """Return a compiler that has shown, now or earlier, that it can build a library.

    Raises:
        CompilerError: It is not there, does not run, or failed at a small library.
    """
    level = best_level()
    key = fingerprint(command, level.name)
    known = _known.get(key) or recall(key)
    if known is None:
        try:
            known = ask(command)
            _try_out(Compiler(command, known), level)
            remember(key, known)
        except CompilerError as error:
            known = error
    _known[key] = known
    if isinstance(known, CompilerError):
        raise CompilerError(str(known))
    return Compiler(command, known)


def _try_out(compiler: Compiler, level: Level) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="cellwright-trial-") as name:
            source = Path(name, "trial.c")
            source.write_text(_TRIAL, encoding="utf-8")
            compile(source, source.with_suffix(".so"), compiler, level)
    except (BuildError, OSError) as error:
        lines = str(error).splitlines()
        told = (line.strip() for line in lines if "error" in line.lower())
        raise CompilerError(
            f"{shlex.join(compiler.command)} cannot build a library for {level.name}: "
            f"{next(told, lines[0])}"
        ) from error
