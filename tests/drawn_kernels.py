"""Random cells on both backends: drawn, compiled by the dozen, and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from unittest import mock

import torch
from torch import Tensor

from cellwright import autograd
from cellwright.backends.c import segments
from cellwright.backends.c.levels import Level
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.language.cell import Cell
from cellwright.nn.options import resolve_sizes
from many_kernels import Wanted, compile_many, running
from random_cells import draw_cell
from rewritten_problems import draw_rewrites, rewritten
from strategies import (
    Problem,
    draw_problem,
    nudged,
    results_with_gradients,
    same_bits,
)

BOUND = TOLERANCES["rewritten", "float64"].bound
MOST_STEPS = 16
HIDDEN = (1, 2, 3, 5, 8, 13, 17)
"""Below, at and above the lanes of every level, none of them a multiple of all."""


@dataclass(frozen=True)
class Drawn:
    """A random cell, what it runs on, and the one seed of both."""

    seed: str
    text: str
    problem: Problem

    @property
    def wanted(self) -> list[Wanted]:
        """The programs that comparing it takes."""
        graph, trace = self.problem.graph, self.problem.trace
        asked = "all" if self.problem.asks else "weights"
        return [Wanted(graph, asked, trace), Wanted(graph, "none", trace)]

    def __str__(self) -> str:
        sizes = dict(self.problem.sizes)
        shape = list(next(iter(self.problem.inputs.values())).shape[:2])
        added = [i.name for i in self.problem.graph.inputs if i.name[0] == "_"]
        return (
            f"seed {self.seed!r}: T, B = {shape}, {sizes}, {added}, "
            f"trace {self.problem.trace}, x asks: {self.problem.asks}\n{self.text}"
        )


def draw(seed: str) -> Drawn:
    """Return a random cell and all that it runs on, in half of the draws rewritten.

    In half of them a gradient of the inputs is asked for.
    """
    random = Random(seed)
    text = draw_cell(random)
    cell = find(text)
    problem = draw_problem(
        cell,
        random,
        steps=random.randint(1, MOST_STEPS),
        batch=random.choice((1, 2, 3, 4, 7, 13)),
        sizes=draw_sizes(cell, random),
    )
    if random.random() < 0.5:
        problem = rewritten(problem, draw_rewrites(random, problem), random)
    known = [
        v.name
        for v in problem.graph.values
        if len(problem.graph.nodes[v.node].shape) <= 1
    ]
    trace = random.sample(known, min(len(known), random.choice((0, 0, 1, 2))))
    asks = random.random() < 0.5
    return Drawn(seed, text, replace(problem, trace=tuple(trace), asks=asks))


def draw_sizes(cell: Cell, random: Random) -> dict[str, int]:
    """Return every named size of a cell."""
    hidden_size = random.choice(HIDDEN)
    free = {s.name for s in cell.graph.sizes if s.derived is None}
    drawn = {"m": HIDDEN, "heads": (1, 2, 3, 5), "part": (1, 3, 4, 9)}
    options = {n: random.choice(of) for n, of in drawn.items() if n in free}
    derived = [s.derived for s in cell.graph.sizes if s.name == "input_size"]
    if derived and derived[0] is not None:
        input_size = derived[0].evaluate({"hidden_size": hidden_size})
    else:
        input_size = random.choice((1, 2, 3, 11))
    return resolve_sizes(cell, cell.graph, input_size, hidden_size, options)


@dataclass(frozen=True)
class Compared:
    """How far the backends are from each other on one cell.

    Args:
        errors: by what was compared.
        undecided: whether the errors are beyond the bound and the reference itself
            leaves it when all that it runs on moves by 1e-13: at an exact tie, or where
            a slope is all but a jump.
        anew: what has other bits where the backward pass makes anew what it reads.
        followed: what has other bits where a backward pass may follow.
    """

    errors: dict[str, float]
    undecided: bool
    anew: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()

    @property
    def worst(self) -> float:
        """The largest error; a NaN is infinite."""
        return max(self.errors.values())

    @property
    def equal(self) -> bool:
        """Whether everything is within the bound."""
        return self.worst <= BOUND


def compare(drawn: Sequence[Drawn], level: Level, optimise: int = 1) -> list[Compared]:
    """Compare both backends on some cells, in values and in all gradients.

    Args:
        drawn: the cells; together they are one translation unit.
        level: the instruction set.
        optimise: how much the compiler does.
    """
    wanted = [*dict.fromkeys(each for one in drawn for each in one.wanted)]
    programs = compile_many(wanted, torch.float64, level, optimise)
    with running(dict(zip(wanted, programs, strict=True))):
        return [_compared(one.problem) for one in drawn]


def _compared(problem: Problem) -> Compared:
    expected = _all(problem)
    actual = _all(replace(problem, engine=autograd.run))
    errors = {name: error(actual[name], value) for name, value in expected.items()}
    wrong = max(errors.values()) > BOUND
    undecided = wrong and _spread(problem) > BOUND
    return Compared(errors, undecided, _changed(problem), _followed(actual))


def _followed(found: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the results that differ by any bit from those of a call without grad."""
    alone = "alone: "
    pairs = ((n, found[n.removeprefix(alone)]) for n in found if n.startswith(alone))
    return tuple(name for name, value in pairs if not same_bits(found[name], value))


def _changed(problem: Problem) -> tuple[str, ...]:
    """Return the results that differ between the two modes of memory, by any bit."""
    rows = next(iter(problem.inputs.values())).shape[1]
    # Two steps of a chunk: so short a sequence has segments too.
    with mock.patch.object(segments, "CHUNK_ROWS", 2 * rows):
        stored, anew = (
            _all(replace(problem, engine=partial(autograd.run, memory=mode)))
            for mode in ("store", "recompute")
        )
    return tuple(name for name in stored if not same_bits(anew[name], stored[name]))


def _all(problem: Problem) -> dict[str, Tensor]:
    """Return results with and without gradients to come, and all gradients."""
    with torch.no_grad():
        found = {f"alone: {name}": v for name, v in problem.run().items()}
    weights = problem.weights(torch.Generator().manual_seed(3))
    gradients = problem.gradients(weights)
    found |= results_with_gradients(problem)
    return found | {f"gradient: {name}": v for name, v in gradients.items()}


def _spread(problem: Problem) -> float:
    """Return how far the reference moves when all that it runs on moves by rounding."""
    expected = _all(problem)
    found = 0.0
    for seed in range(3):
        moved = _all(nudged(problem, seed))
        found = max(found, *(error(moved[n], v) for n, v in expected.items()))
    return found
