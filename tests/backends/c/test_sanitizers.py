"""Kernels of the whole library give no warning and no sanitizer a reason to speak."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cellwright.backends.c import toolchain
from cellwright.backends.c.kernel import DTYPES
from cellwright.backends.c.levels import Level, runnable_levels
from cellwright.backends.c.source import outer_text
from cellwright.backends.c.toolchain import Compiler
from cellwright.compiler.plan import pipeline
from cellwright.passes.pipeline import Gradients
from library_kernels import problems
from many_kernels import sources_of, unit

TESTS = Path(__file__).parents[2]
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-O1")
# All memory is NaN until somebody writes it: what is read too early shows.
SANITIZER = "detect_leaks=0:malloc_fill_byte=255:max_malloc_fill_size=1073741824"

ASKED: tuple[Gradients, Gradients] = ("weights", "all")
"""Whose gradients a backward step gives, in turn."""

WIDTHS = [
    (level, dtype)
    for level, dtype in zip(
        runnable_levels()[::-1], ("float64", "float32", "float32"), strict=False
    )
]
"""Each level, and so each tile, with one dtype: two, eight and sixteen lanes. A whole
library under sanitizers takes a minute."""
widths = pytest.mark.parametrize(
    ("level", "dtype"), WIDTHS, ids=lambda each: getattr(each, "name", each)
)


@pytest.mark.long
@widths
def test_there_is_no_warning(
    compiler: Compiler, tmp_path: Path, level: Level, dtype: str
):
    """Cells, plain and rewritten, in both directions, and the sums of products.

    Of the widest vectors, which compilers take two minutes for, some cells: what a cell
    adds to the code of a level is the same text at all of them.
    """
    double = DTYPES[getattr(torch, dtype)]
    every = 8 if (level, dtype) == WIDTHS[-1] else 1
    sources = [
        one
        for i, problem in enumerate([*problems(level.name, dtype)][::every])
        for one in sources_of(pipeline(problem.graph, problem.trace, ASKED[i % 2]))
    ]
    texts = {
        "kernels.c": unit(sources, double, level, called=False),
        "outer.c": outer_text(double, level.vector_bytes, level.accumulators),
    }
    for name, text in texts.items():
        source = tmp_path / name
        source.write_text(text, encoding="utf-8")
        toolchain.compile(source, source.with_suffix(".so"), compiler, level, WARNINGS)


def runtime(compiler: Compiler, name: str) -> str:
    """Return the file of a library that the compiler brings, skip if it has none."""
    command = [*compiler.command, f"-print-file-name={name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    if done.returncode != 0 or not Path(path).is_absolute():
        pytest.skip(f"{compiler.identity} brings no {name}")
    return path


@pytest.mark.long
@widths
def test_sanitizers_are_silent(
    compiler: Compiler, cell_seed: int, level: Level, dtype: str
):
    """No read or write beyond an array, none of memory unwritten, no overflow."""
    assert shutil.which(compiler.command[0])
    # The second one, because torch's exceptions have to be known to the first.
    first = [runtime(compiler, name) for name in ("libasan.so", "libstdc++.so.6")]
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "sanitized", level.name, dtype, str(cell_seed)],
        env={
            **os.environ,
            "PYTHONPATH": path,
            "LD_PRELOAD": " ".join(first),
            "ASAN_OPTIONS": SANITIZER,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
