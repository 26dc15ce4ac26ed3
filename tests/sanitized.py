"""Run library kernels under sanitizers: ``python -m sanitized LEVEL DTYPE SEED``.

The process has to be started with the sanitizers' own library in front of all others,
and lets them fill all memory that nobody has written with NaN.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from unittest import mock

import torch
from torch import Tensor

from cellwright.autograd import run
from cellwright.backends.c import toolchain
from cellwright.backends.c.levels import LEVELS, runnable_levels
from cellwright.checks.tolerances import TOLERANCES, error
from library_kernels import problems
from many_kernels import Wanted, compile_many, running
from strategies import Problem, results_with_gradients

FLAGS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
)


def main(level: str, dtype: str, seed: str) -> None:
    """Compare all problems; a sanitizer that finds something ends the process."""
    torch.set_num_threads(1)
    assert bool(torch.empty(64).isnan().all()), "new memory is not filled with NaN"
    chosen = next(each for each in LEVELS if each.name == level)
    number = getattr(torch, dtype)
    taken = [*problems(level, dtype)]
    if (level, dtype) == (runnable_levels()[0].name, "float32"):
        # The whole library takes three minutes: here is the half that the seed says.
        taken = taken[int(seed) % 2 :: 2]
    all_problems = [replace(each, asks=bool(i % 2)) for i, each in enumerate(taken)]
    wanted = list(wanted_of(all_problems))
    environment = {"CELLWRIGHT_LEVEL": level}
    with (
        TemporaryDirectory() as folder,
        mock.patch.object(toolchain, "FLAGS", (*toolchain.FLAGS, *FLAGS)),
        mock.patch.dict("os.environ", environment, CELLWRIGHT_CACHE_DIR=folder),
    ):
        programs = compile_many(wanted, number, chosen, optimise=0)
        with running(dict(zip(wanted, programs, strict=True))):
            for problem in all_problems:
                compare(problem, number)
                compare(problem.first_row, number)


def wanted_of(all_problems: Sequence[Problem]) -> Iterator[Wanted]:
    """Return what has to be compiled: without a gradient only what has no trace."""
    for each in all_problems:
        yield Wanted(each.graph, "all" if each.asks else "weights", each.trace)
        if not each.trace:
            yield Wanted(each.graph, "none")


def compare(problem: Problem, dtype: torch.dtype) -> None:
    """Compare the kernels of one problem with the reference."""
    word = str(dtype).removeprefix("torch.")
    weights = problem.weights(torch.Generator().manual_seed(3))
    expected = problem.run() | problem.gradients(weights)
    kernels = with_dtype(replace(problem, engine=run), dtype)
    converted = {name: value.to(dtype) for name, value in weights.items()}
    if problem.trace:
        found = results_with_gradients(kernels)
    else:
        with torch.no_grad():
            found = kernels.run()
    found |= kernels.gradients(converted)
    for name, value in expected.items():
        apart = error(found[name], value)
        said = f"{problem.graph.name}: {name} is {apart:.1e} apart"
        assert apart <= TOLERANCES["c", word].bound, said


def with_dtype(problem: Problem, dtype: torch.dtype) -> Problem:
    """Return the same problem in another dtype."""

    def converted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(dtype) for name, value in tensors.items()}

    return replace(
        problem.with_leaves(converted(problem.leaves())),
        constants=converted(dict(problem.constants)),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
