"""Tests of `cellwright.backends.c.identifiers`."""

from __future__ import annotations

import keyword
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import cellwright as cw
from cellwright.backends.c import emit
from cellwright.backends.c.identifiers import ENDING, identifiers
from cellwright.backends.c.toolchain import Compiler
from cellwright.cells import find
from cellwright.compiler.plan import pipeline, source
from cellwright.language.functions import FUNCTIONS
from cellwright.language.source import KEYWORDS
from layer_runs import assert_same, outcome

FILES = sorted(
    path for path in Path(emit.__file__).parent.iterdir() if path.suffix in (".c", ".h")
)
C_WORDS = """alignas alignof auto bool break case char const constexpr continue default
do double else enum extern false float for goto if inline int long nullptr register
restrict return short signed sizeof static static_assert struct switch thread_local true
typedef typeof typeof_unqual union unsigned void volatile while asm linux unix i386
acos acosh asin atan2 cbrt ceil copysign erf expm1 fabs fma fmax fmin fmod frexp gamma
hypot ilogb j0 j1 jn ldexp lgamma log1p log2 logb lrint modf nan nearbyint pow remainder
rint round scalb signgam significand tgamma trunc y0 y1 yn malloc free memcpy memset abs
exit index int8_t int64_t size_t ptrdiff_t EOF NULL NAN INFINITY HUGE_VAL M_PI INT64_MAX
main errno stdin vec_ acc_ c_next"""
AT_ONCE = 150
"""How many values a cell has here: each is made of the one before."""


def kernel(cell: str) -> str:
    """Return the C of a cell."""
    graph = find(cell).graph
    return source(graph, pipeline(graph).forward, "forward").text(False, 64, 24)


def words() -> set[str]:
    """Return every word of a kernel and of all its files, and many of C's."""
    texts = [C_WORDS, kernel("lstm"), *(p.read_text("utf-8") for p in FILES)]
    return {word for text in texts for word in re.findall(r"\b[A-Za-z]\w*", text)}


def cell_of(names: Sequence[str]) -> str:
    """Return a cell that has a value under each name, one made of the other."""
    lines = ["size input_size = hidden_size", "input x_in [input_size]"]
    lines += ["state c [hidden_size]", "output c'"]
    below = "x_in"
    for name in names:
        lines.append(f"{name} = 0.5 * {below} + c")
        below = name
    return "\n".join([*lines, f"c' = tanh({below})", ""])


def test_a_value_may_have_any_name_of_the_kernels_own():
    """Types, macros, functions and keywords: the kernel is built, and is right."""
    own = {"x_in", "c", "input_size", "hidden_size"}
    reserved = own | {*FUNCTIONS, *KEYWORDS, *keyword.kwlist, "pi", "inf"}
    names = sorted(words() - reserved)
    assert {"vec", "real", "frame", "double", "LANES", "SPREAD", "store"} <= set(names)
    x = torch.linspace(-1, 1, 3 * 2 * 5, dtype=torch.float64).reshape(3, 2, 5)
    for begin in range(0, len(names), AT_ONCE):
        cell = find(cell_of(names[begin : begin + AT_ONCE]))
        found: list[dict[str, torch.Tensor]] = []
        for backend in ("c", "reference"):
            layer = cw.nn.Recurrent(cell, 5, 5, backend=backend, dtype=torch.float64)
            found.append(outcome(layer, x, None))
        kernel, truth = found
        assert_same(kernel, truth, "c", "float64")


def test_different_names_are_different_identifiers():
    """Also where what is appended makes them alike."""
    names = ["a", "a_", "a__", "a'", "a_next", "a_next_", "%1", "t1", "d.a", "d_a"]
    found = identifiers(names)
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[a-z]\w*_", each) for each in found)


@pytest.mark.parametrize("cell", ["lstm", "slstm"])
def test_no_other_name_ends_like_those_of_cells(
    cell: str, compiler: Compiler, tmp_path: Path
):
    """Neither in a kernel nor in what it includes, macros of the compiler with it."""
    path = tmp_path / "kernel.c"
    path.write_text(kernel(cell), encoding="utf-8")
    done = subprocess.run(
        [*compiler.command, "-E", "-dD", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    # What pastes names together, phase_##i, is none itself, and cells use no __name__.
    bare = re.sub(r"\w+(?=\s*##)", " ", done.stdout)
    ours = set(identifiers(pipeline(find(cell).graph).forward.names))
    others = set(re.findall(rf"\b[A-Za-z]\w*{ENDING}\b", bare)) - ours
    assert "i_" in ours
    assert not others
