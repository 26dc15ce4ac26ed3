"""Sums of products stay in registers: what the compiler makes of the loops is read."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellwright.backends.c import toolchain
from cellwright.backends.c.levels import LEVELS, Level
from cellwright.backends.c.toolchain import Compiler
from cellwright.cells import find
from cellwright.compiler.plan import pipeline
from many_kernels import sources_of

LABEL = re.compile(r"(\.L\w+):")
JUMP = re.compile(r"j\w+\s+(\.L\w+)")
OF_PRODUCTS = re.compile(r"v(fmadd|broadcast|mov|xor)")
"""Vector instructions of a loop that does nothing but multiply and add up."""
STORE = re.compile(r"vmov\w+\s+%[xyz]mm\d+,\s*[^%]*\(")
FEWEST = 20
"""Such loops of both kernels of a cell: one for each size of a tile at least."""


def innermost_loops(assembly: str) -> Iterator[list[str]]:
    """Yield the instructions of every loop that has no other one inside."""
    labels, lines = dict[str, int](), list[str]()
    for line in assembly.splitlines():
        if label := LABEL.match(line):
            labels[label[1]] = len(lines)
        elif re.match(r"\t[a-z]", line):
            lines.append(line.strip())
    loops = [
        (labels[jump[1]], at)
        for at, line in enumerate(lines)
        if (jump := JUMP.match(line)) and labels[jump[1]] <= at
    ]
    for begin, end in loops:
        if not any(begin <= b and e < end for b, e in loops):
            yield lines[begin : end + 1]


def multiplies_alone(loop: list[str]) -> bool:
    """Whether a loop multiplies and adds up, and does nothing else with vectors."""
    vectors = [line for line in loop if line.startswith("v")]
    return any(line.startswith("vfmadd") for line in vectors) and all(
        OF_PRODUCTS.match(line) for line in vectors
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86's assembly")
@pytest.mark.parametrize("level", LEVELS[:2], ids=lambda level: level.name)
@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_products_store_nothing(
    name: str, level: Level, compiler: Compiler, tmp_path: Path
):
    """A sum that is stored and read at every step of the loop takes twice as long.

    No number tells it, and on a busy machine no clock. A level needs not run here to
    be compiled for.
    """
    if re.search("clang|zig", compiler.identity):
        pytest.skip("GCC's assembly is read")
    found: list[list[str]] = []
    for source in sources_of(pipeline(find(name).graph)):
        text = source.text(False, level.vector_bytes, level.accumulators)
        file = tmp_path / "kernel.c"
        file.write_text(text, encoding="utf-8")
        assembly = file.with_suffix(".s")
        toolchain.compile(file, assembly, compiler, level, ["-S"])
        loops = innermost_loops(assembly.read_text(encoding="utf-8"))
        found += filter(multiplies_alone, loops)

    assert len(found) >= FEWEST
    assert [loop for loop in found if any(map(STORE.match, loop))] == []
