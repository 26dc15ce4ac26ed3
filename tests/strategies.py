"""Hypothesis strategies, and what it takes to run a random cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor

from cellwright.backends.reference.initial import initial_values
from cellwright.backends.reference.interpret import Arguments, Result, first_states, run
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.ir.graph import Graph
from cellwright.language.assemble import assemble
from cellwright.language.build import build
from cellwright.language.cell import Cell
from cellwright.language.definitions import define
from cellwright.language.report import Report
from cellwright.nn.options import resolve_sizes
from random_cells import draw_cell

# Time limits have no place in tests, and a drawn cell is a large example by design.
random_cells = settings(
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
seeds = st.integers(0, 2**32 - 1)


def assert_close(
    actual: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    bound: float = TOLERANCES["rewritten", "float64"].bound,
) -> None:
    """Compare results by name."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        found = error(actual[name], value)
        assert found <= bound, f"{name}: {found:.1e} is more than {bound:.0e}"


def is_tame(gradients: Mapping[str, Tensor]) -> bool:
    """Whether rounding of the largest gradient is below the bound of `assert_close`.

    A slope of 1e20 in one place is a sum of such numbers in another, and their rounding
    is larger than what is left of them.
    """
    rounding = torch.finfo(torch.float64).eps
    finite = (value[value.isfinite()].abs() for value in gradients.values())
    largest = max((float(each.max()) for each in finite if len(each)), default=0.0)
    return largest * rounding <= TOLERANCES["rewritten", "float64"].bound


def same_bits(actual: Tensor, expected: Tensor) -> bool:
    """Tell whether two tensors are equal to the bit, NaN and signs of 0 too."""
    words = {torch.float32: torch.int32, torch.float64: torch.int64}
    word = words[expected.dtype]
    pair = (each.detach().contiguous().view(word) for each in (actual, expected))
    return torch.equal(*pair)


NUDGE = 1e-13
"""How far everything is moved to see whether a cell is undecided."""


@dataclass(frozen=True)
class DrawnCell:
    """A random cell; its repr is what a failing test prints."""

    seed: int

    @cached_property
    def text(self) -> str:
        """The text, drawn again from the seed."""
        return draw_cell(Random(self.seed))

    @property
    def cell(self) -> Cell:
        """The parsed text."""
        return find(self.text)

    def __repr__(self) -> str:
        return f"DrawnCell({self.seed}):\n{self.text}"


def drawn_cells() -> st.SearchStrategy[DrawnCell]:
    """Return a strategy of random cells; the same seed is the same cell anywhere."""
    return st.integers(0, 2**32 - 1).map(DrawnCell)


@dataclass(frozen=True)
class Problem:
    """A graph with everything that it runs on, in float64.

    Args:
        asks: whether a gradient of the inputs is asked for, beside all others.
    """

    graph: Graph
    sizes: Mapping[str, int]
    parameters: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    states: Mapping[str, Tensor]
    trace: tuple[str, ...] = ()
    engine: Callable[..., Result] = run
    asks: bool = True

    def run(self) -> dict[str, Tensor]:
        """Return the output, the final states and what is traced by name."""
        arguments = Arguments(self.sizes, self.parameters, self.constants)
        inputs = [self.inputs[i.name] for i in self.graph.inputs]
        states = [self.states[s.name] for s in self.graph.states]
        result = self.engine(self.graph, arguments, inputs, states, self.trace)
        names = [s.name for s in self.graph.states]
        found = {"output": result.output}
        found |= dict(zip(names, result.states, strict=True))
        return found | {f"trace {name}": v for name, v in result.traces.items()}

    def gradients(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return gradients of the weighted results, by ``x``, ``first h``, ``W1``."""
        leaves = self.asking()
        results = self.with_leaves(leaves).run()
        names = [name for name, value in results.items() if value.requires_grad]
        asked = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
        found = torch.autograd.grad(
            [results[name] for name in names],
            list(asked.values()),
            [weights[name] for name in names],
            materialize_grads=True,
        )
        return dict(zip(asked, found, strict=True))

    def asking(self) -> dict[str, Tensor]:
        """Return the leaves anew, those that a gradient is asked for with a graph."""
        return {
            name: value.clone().requires_grad_(self.asks or name not in self.inputs)
            for name, value in self.leaves().items()
        }

    def leaves(self) -> dict[str, Tensor]:
        """Return everything that a gradient can be asked for."""
        first = {f"first {name}": value for name, value in self.states.items()}
        return {**self.inputs, **first, **self.parameters}

    def with_leaves(self, leaves: Mapping[str, Tensor]) -> "Problem":
        """Return the problem with other values of what `leaves` gives."""
        return replace(
            self,
            inputs={name: leaves[name] for name in self.inputs},
            states={name: leaves[f"first {name}"] for name in self.states},
            parameters={name: leaves[name] for name in self.parameters},
        )

    @property
    def first_row(self) -> "Problem":
        """The same for the first row of the batch alone: kernels have a way for one."""
        return replace(
            self,
            inputs={name: value[:, :1] for name, value in self.inputs.items()},
            states={name: value[:1] for name, value in self.states.items()},
        )

    def weights(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return random cotangents of everything that `run` gives."""
        return {
            name: torch.randn(v.shape, dtype=v.dtype, generator=generator)
            for name, v in self.run().items()
        }


def results_with_gradients(problem: Problem) -> dict[str, Tensor]:
    """Return the results of a run that a backward pass could follow."""
    results = problem.with_leaves(problem.asking()).run()
    return {name: value.detach() for name, value in results.items()}


def lengths(cell: Cell, random: Random) -> tuple[int, int]:
    """Return an input size and a hidden size that a cell can have."""
    hidden_size = random.choice((1, 2, 3, 5))
    derived = [s.derived for s in cell.graph.sizes if s.name == "input_size"]
    if derived and derived[0] is not None:
        return derived[0].evaluate({"hidden_size": hidden_size}), hidden_size
    return random.choice((1, 2, 3)), hidden_size


def unfolded(cell: Cell) -> Graph:
    """Return the graph of a cell with every operation as it is written."""
    report = Report()
    return assemble(build(define(cell.chain, report), report, fold=False))


def fixed_sizes(cell: Cell) -> dict[str, int]:
    """Return sizes that every published cell can have, the same each time."""
    declared = {s.name: s for s in cell.graph.sizes}
    free = [n for n, s in declared.items() if s.derived is None and s.default is None]
    more = {name: 3 for name in free if name not in ("input_size", "hidden_size")}
    derived = declared["input_size"].derived if "input_size" in declared else None
    width = derived.evaluate({"hidden_size": 8}) if derived is not None else 3
    return resolve_sizes(cell, cell.graph, width, 8, more)


def draw_problem(
    cell: Cell,
    random: Random,
    graph: Graph | None = None,
    steps: int = 0,
    batch: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> Problem:
    """Return what a cell runs on: sizes, weights, a sequence and first states.

    Args:
        cell: the cell.
        random: the only source of chance.
        graph: another graph of the same cell.
        steps: length of the sequence; drawn when it is 0.
        batch: rows; drawn when it is 0.
        sizes: every named size; drawn when it is None.
    """
    graph = cell.graph if graph is None else graph
    if sizes is None:
        sizes = resolve_sizes(cell, cell.graph, *lengths(cell, random), {})
    generator = torch.Generator().manual_seed(random.getrandbits(32))

    def normal(shape: Sequence[int]) -> Tensor:
        return torch.randn(tuple(shape), dtype=torch.float64, generator=generator)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random.getrandbits(32))
        parameters, constants = initial_values(graph, sizes, {})
    steps, batch = steps or random.randint(1, 5), batch or random.randint(1, 4)
    inputs = {
        i.name: normal([steps, batch, *(n.evaluate(sizes) for n in i.shape)])
        for i in graph.inputs
    }
    like = torch.empty(0, dtype=torch.float64)
    declared = first_states(graph, Arguments(sizes, parameters, constants), like)
    moved = 0.3 if random.random() < 0.5 else 0.0
    states = {
        s.name: value + moved * normal([batch, *value.shape])
        for s, value in zip(graph.states, declared, strict=True)
    }
    return Problem(graph, sizes, parameters, constants, inputs, states)


def nudged(problem: Problem, seed: int) -> Problem:
    """Return the same problem with all that it runs on moved by about a rounding."""
    draws = torch.Generator().manual_seed(seed)
    leaves = {
        name: v + NUDGE * torch.randn(v.shape, dtype=v.dtype, generator=draws)
        for name, v in problem.leaves().items()
    }
    return problem.with_leaves(leaves)
