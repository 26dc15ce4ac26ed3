"""Several cells in one translation unit: random cells wait less for a compiler.

What all kernels share is compiled once; the rest once for each kernel, with every name
at file scope renamed by macros. Tokens that macros paste together are looked at again,
so ``phase_##I`` gets its kernel's number too.
"""

import ctypes
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import torch

from cellwright.autograd import function
from cellwright.backends.c import toolchain
from cellwright.backends.c.kernel import DTYPES, kernel_of
from cellwright.backends.c.levels import Level
from cellwright.backends.c.program import Program
from cellwright.backends.c.source import Source, configuration, included
from cellwright.compiler.plan import pipeline, source
from cellwright.ir.graph import Graph
from cellwright.passes.pipeline import Gradients, Pipeline

SHARED = (
    "configuration.h",
    "vectors.h",
    "coefficients.h",
    "functions.h",
    "multiply.h",
    "threads.h",
)
"""The parts of a kernel that no cell changes."""
STANDARD = "\n".join(f"#include <{name}.h>" for name in ("math", "stdatomic", "stdlib"))

CALLED = ("inline __attribute__((always_inline", "__attribute__((noinline")
"""What lets functions be called, which takes half the time to compile and gives the
same numbers, slowly."""

_ATTRIBUTE = re.compile(r'__attribute__\(\([\w"()]+?\)\)+ ?')
_NAMED = re.compile(
    r"^(?:INLINE )?(?:static )?(?:inline )?(?:const )?\w+ \*?(\w+)(?:\(|\[.*\] = )|"
    r"^\} (\w+);|^typedef .*?\b(\w+)\(",
    re.MULTILINE,
)
OF_PHASES = ("phase", "row", "body", "one", "two", "alone", "last", "SPREAD", "UNITS")
"""What a phase's number follows in the names of its parts."""
_ENUM = re.compile(r"^enum \{(.*?)\};", re.MULTILINE | re.DOTALL)
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """What a program is compiled for, as `compiler.program` takes it."""

    graph: Graph
    gradients: Gradients = "all"
    trace: tuple[str, ...] = ()


def file_names(text: str) -> list[str]:
    """Return every name that a kernel's own part defines at file scope."""
    bare = _ATTRIBUTE.sub("", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    # A macro's body defines nothing until somebody writes it out.
    bare = re.sub(r"^#define (?:.*\\\n)*.*\n", "", bare, flags=re.MULTILINE)
    found = [n for groups in _NAMED.findall(bare) for n in groups if n]
    for body in _ENUM.findall(bare):
        found += re.findall(r"(\w+) *(?==|,|$)", re.sub(r"= *[^,]*", "", body))
    found += [
        f"{stem}_{i}"
        for i in sorted(set(re.findall(r"\b(?:phase|row|SPREAD)_(\d+)\b", text)))
        for stem in OF_PHASES
    ]
    return list(dict.fromkeys(found))


def own_part(one: Source, number: int) -> str:
    """Return a kernel without what it shares, its names marked by a number."""
    blank = dict.fromkeys(SHARED, "")
    text = included("kernel.c", {**blank, "slots.h": one.slots, "step.h": one.step})
    names = file_names(text)
    lines = [f"#define {name} {name}_{number}" for name in names]
    undone = [f"#undef {name}" for name in [*names, *_MACRO.findall(text)]]
    return "\n".join([*lines, text, *undone, ""])


def unit(
    sources: Sequence[Source], double: bool, level: Level, called: bool = True
) -> str:
    """Return the C of several kernels, ``cellwright_run_0`` and so on.

    Args:
        sources: of the kernels.
        double: whether numbers are float64.
        level: the instruction set.
        called: whether functions may be called, see `CALLED`.
    """
    widths = sorted({width for one in sources for width in one.widths})
    shared = configuration(double, level.vector_bytes, level.accumulators, widths)
    files = [included(name, {}) for name in SHARED[1:]]
    parts = [own_part(one, number) for number, one in enumerate(sources)]
    text = "\n".join([STANDARD, shared, *files, *parts])
    return text.replace(*CALLED) if called else text


def compile_many(
    wanted: Sequence[Wanted],
    dtype: torch.dtype,
    level: Level,
    optimise: int = 1,
) -> list[Program]:
    """Return a program for each of several graphs, out of one library.

    Args:
        wanted: the graphs.
        dtype: of all tensors.
        level: the instruction set.
        optimise: how much the compiler does; kernels themselves are built with 2.
    """
    passes = [pipeline(each.graph, each.trace, each.gradients) for each in wanted]
    sources = [one for each in passes for one in sources_of(each)]
    compiler = toolchain.find_compiler()
    assert compiler is not None
    with TemporaryDirectory() as name:
        written, built = Path(name, "many.c"), Path(name, "many.so")
        written.write_text(unit(sources, DTYPES[dtype], level), encoding="utf-8")
        toolchain.compile(written, built, compiler, level, [f"-O{optimise}"])
        library = ctypes.CDLL(str(built))
    kernels = iter([kernel_of(library, one, f"_{i}") for i, one in enumerate(sources)])
    return [
        Program(
            each.forward,
            each.backward,
            next(kernels),
            None if each.backward is None else next(kernels),
            one.gradients == "all",
        )
        for one, each in zip(wanted, passes, strict=True)
    ]


def sources_of(passes: Pipeline) -> Iterator[Source]:
    """Return the C of both directions, or of the one that there is."""
    yield source_of(passes, "forward")
    if passes.backward is not None:
        yield source_of(passes, "backward")


def source_of(passes: Pipeline, direction: str) -> Source:
    """Return the C of one direction."""
    step = passes.forward if direction == "forward" else passes.backward
    assert step is not None
    return source(passes.forward.schedule.graph, step, direction)


@contextmanager
def running(programs: Mapping[Wanted, Program]) -> Iterator[None]:
    """Let `autograd.run` take its programs from here, and only from here."""

    def program(
        graph: Graph, trace: tuple[str, ...], gradients: Gradients, dtype: torch.dtype
    ) -> Program:
        return programs[Wanted(graph, gradients, trace)]

    with mock.patch.object(function, "program", program):
        yield
