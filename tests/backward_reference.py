"""What a backward graph means: an executable specification, node by node in torch.

The forward step runs over the sequence and every value of every step is kept. The
backward step then runs from the last step to the first: its inputs are those values
and the gradients that arrive, its states the adjoints of the cell's states. Gradients
of inputs are one a step; those of what hangs on weights are summed over steps and rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random

import torch
from torch import Tensor

from cellwright.backends.reference.interpret import Arguments, Weights, resolve, run
from cellwright.backends.reference.ops import TORCH, number
from cellwright.cells import find, load, names
from cellwright.checks.tolerances import error
from cellwright.ir.graph import Graph, Node, reachable
from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell
from cellwright.passes.differentiate import OUTPUT, Backward
from cellwright.passes.roots import node_names
from edge_cells import EDGES
from random_cells import draw_cell
from strategies import Problem, draw_problem, fixed_sizes, nudged

RANDOM_CELLS = 60
CASES = (
    *(("library", name) for name in names()),
    *(("edge", name) for name in EDGES),
    *(("untraced", name) for name in EDGES),
    *(("random", str(i)) for i in range(RANDOM_CELLS)),
)
"""The cells that every pass is tried on."""

Leaf = Callable[[Node], Tensor]
DOUBLE = torch.empty(0, dtype=torch.float64)


def case_id(case: tuple[str, str]) -> str:
    """Return how a test calls one of the cases."""
    return "-".join(case)


def drawn(case: tuple[str, str], cell_seed: int) -> tuple[Cell, Problem, Random]:
    """Return a cell, what it runs on, and the case's source of chance."""
    kind, name = case
    if kind == "random":
        random = Random(f"{cell_seed} passes {name}")
        cell = find(draw_cell(random))
        return cell, draw_problem(cell, random), random
    random = Random(name)
    cell = load(name) if kind == "library" else find(EDGES[name])
    return cell, draw_problem(cell, random, steps=3, sizes=fixed_sizes(cell)), random


def drawn_trace(case: tuple[str, str], problem: Problem, random: Random) -> list[str]:
    """Return values that are asked for: some of them, of a small cell all or none."""
    graph = problem.graph
    names = [v.name for v in graph.values if len(graph.nodes[v.node].shape) < 2]
    if case[0] == "edge":
        return names
    if case[0] == "untraced":
        return []
    return random.sample(names, random.randint(0, min(3, len(names))))


# Values


def evaluate(
    graph: Graph, wanted: Iterable[int], leaf: Leaf, sizes: Mapping[str, int]
) -> dict[int, Tensor]:
    """Return values of nodes and of all that they are made of.

    A value that hangs on a row has it in front, ``[B, n]`` or ``[B, 1]``.
    """
    found: dict[int, Tensor] = {}
    for position in sorted(reachable(graph.nodes, set(wanted))):
        node = graph.nodes[position]
        if node.op in ("const", "size"):
            value = resolve(node.attr, sizes)
            assert isinstance(value, float | int)
            found[position] = number(value, resolved(node.shape, sizes), DOUBLE)
        elif not node.args:
            found[position] = leaf(node)
        else:
            args = [found[arg] for arg in node.args]
            found[position] = TORCH[node.op](args, resolve(node.attr, sizes))
    return found


def resolved(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return a shape in numbers."""
    return tuple(size.evaluate(sizes) for size in shape)


def by_row(value: Tensor, shape: Shape, problem: Problem) -> Tensor:
    """Return a value with a batch, ``[B, *shape]``, whatever it hangs on."""
    plain = resolved(shape, problem.sizes)
    if value.dim() <= len(plain) or not plain:
        last = () if plain else (1,)
        value = value if plain or value.dim() > 1 else value.reshape(1)
        return value.expand(batch(problem), *plain, *last).reshape(-1, *plain)
    # A filled number has one row, and one entry.
    return value.expand(batch(problem), *plain)


def batch(problem: Problem) -> int:
    """Return the number of rows."""
    return len(next(iter(problem.states.values())))


def with_axis(value: Tensor, shape: Shape) -> Tensor:
    """Return a scalar's ``[..., B]`` as ``[..., B, 1]``."""
    return value if shape else value.unsqueeze(-1)


def step_roots(graph: Graph) -> list[int]:
    """Return all that a step can be asked for."""
    nexts = [state.next for state in graph.states]
    return [graph.output, *nexts, *(value.node for value in graph.values)]


def forward_steps(problem: Problem) -> list[dict[int, Tensor]]:
    """Return the value of every node of a step, for every step."""
    graph = problem.graph
    weights = {**problem.parameters, **problem.constants}
    now = {s.name: with_axis(problem.states[s.name], s.shape) for s in graph.states}
    shapes = {i.name: i.shape for i in graph.inputs}
    steps: list[dict[int, Tensor]] = []
    for t in range(len(next(iter(problem.inputs.values())))):

        def leaf(node: Node, t: int = t, now: Mapping[str, Tensor] = now) -> Tensor:
            name = str(node.attr)
            if node.op == "input":
                return with_axis(problem.inputs[name][t], shapes[name])
            return now[name] if node.op == "state" else weights[name]

        found = evaluate(graph, step_roots(graph), leaf, problem.sizes)
        steps.append(found)
        now = {
            s.name: with_axis(by_row(found[s.next], s.shape, problem), s.shape)
            for s in graph.states
        }
    return steps


# Gradients


def cotangents(problem: Problem, trace: Sequence[str], random: Random) -> dict:
    """Return gradients that arrive, by ``output``, names of states, and of traces."""
    generator = torch.Generator().manual_seed(random.getrandbits(32))
    steps, rows = len(next(iter(problem.inputs.values()))), batch(problem)
    graph = problem.graph
    shapes: dict[str, tuple[int, ...]] = {}
    shapes["output"] = (steps, rows, *resolved(graph.output_shape, problem.sizes))
    for state in graph.states:
        shapes[state.name] = (rows, *resolved(state.shape, problem.sizes))
    for name in trace:
        value = graph.value(name)
        assert value is not None
        plain = resolved(graph.nodes[value.node].shape, problem.sizes)
        shapes[name] = (steps, rows, *plain)
    return {
        name: torch.randn(shape, dtype=torch.float64, generator=generator)
        for name, shape in shapes.items()
    }


def autograd(
    problem: Problem, trace: Sequence[str], given: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what torch says: gradients by ``x``, ``first h``, ``W``."""
    leaves = {name: v.clone().requires_grad_() for name, v in problem.leaves().items()}
    live = problem.with_leaves(leaves)
    graph = problem.graph
    result = run(
        graph,
        Arguments(live.sizes, live.parameters, live.constants),
        [live.inputs[i.name] for i in graph.inputs],
        [live.states[s.name] for s in graph.states],
        trace,
    )
    last = zip([s.name for s in graph.states], result.states, strict=True)
    results = {"output": result.output, **dict(last), **result.traces}
    pairs = [(v, given[name]) for name, v in results.items() if v.requires_grad]
    found = torch.autograd.grad(
        [value for value, _ in pairs],
        list(leaves.values()),
        [cotangent for _, cotangent in pairs],
        materialize_grads=True,
    )
    return dict(zip(leaves, found, strict=True))


def by_backward_graph(
    problem: Problem, backward: Backward, given: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what a backward graph says; its names and order as in `autograd`."""
    graph, forward = backward.graph, problem.graph
    steps = forward_steps(problem)
    names = node_names(forward)
    adjoints = {
        f"d.{s.name}": with_axis(given[s.name], s.shape) for s in forward.states
    }
    found: dict[str, Tensor] = {}
    inputs = {i.name: torch.zeros_like(problem.inputs[i.name]) for i in forward.inputs}
    for t in reversed(range(len(steps))):

        def leaf(node: Node, t: int = t, adjoints: Mapping[str, Tensor] = adjoints):
            name = str(node.attr)
            if node.op == "state":
                return adjoints[name]
            if node.op == "parameter":
                return steps[t][names.index(name)]
            if name in backward.kept:
                return steps[t][backward.kept[name]]
            arriving = given["output" if name == OUTPUT else name.removeprefix("d.")]
            return with_axis(arriving[t], node.shape)

        wanted = [v.node for v in graph.values] + [s.next for s in graph.states]
        values = evaluate(graph, wanted, leaf, problem.sizes)
        for value in graph.values:
            name = value.name.removeprefix("d.")
            rows = by_row(values[value.node], graph.nodes[value.node].shape, problem)
            if name in inputs:
                inputs[name][t] = rows
            else:
                found[name] = found.get(name, 0) + rows.sum(0)
        adjoints = {
            s.name: with_axis(by_row(values[s.next], s.shape, problem), s.shape)
            for s in graph.states
        }
    first = {
        f"first {s.name}": adjoints[f"d.{s.name}"].reshape(given[s.name].shape)
        for s in forward.states
    }
    return {**inputs, **first, **of_parameters(problem, names, found)}


def of_parameters(
    problem: Problem, names: Sequence[str], roots: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return gradients of parameters from those of what the step reads of them.

    Args:
        problem: what the cell runs on.
        names: of the nodes of its graph.
        roots: gradients by the names of what they are gradients of.
    """
    leaves = {n: v.clone().requires_grad_() for n, v in problem.parameters.items()}
    arguments = Arguments(problem.sizes, leaves, problem.constants)
    nodes = [names.index(name) for name in roots]
    values = Weights(problem.graph, nodes).values(arguments, DOUBLE)
    pairs = [
        (value, gradient.reshape(value.shape))
        for value, gradient in zip(values, roots.values(), strict=True)
        if value.requires_grad
    ]
    if not pairs:
        return {name: torch.zeros_like(v) for name, v in leaves.items()}
    found = torch.autograd.grad(
        [value for value, _ in pairs],
        list(leaves.values()),
        [gradient for _, gradient in pairs],
        materialize_grads=True,
    )
    return dict(zip(leaves, found, strict=True))


def assert_same(
    actual: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    bound: float,
    spread: Callable[[], float] = lambda: 0.0,
) -> None:
    """Compare results by name.

    Args:
        actual: what was found.
        expected: what is right.
        bound: how far they may be apart.
        spread: how far what is right moves itself, see `spread_of`; a cell in which
            that is beyond the bound decides nothing.
    """
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        found = error(actual[name], value)
        decided = found <= bound or spread() <= bound
        assert found <= bound or not decided, (
            f"{name}: {found:.1e} is more than {bound:.0e}"
        )


def spread_of(
    problem: Problem, trace: Sequence[str], given: Mapping[str, Tensor]
) -> float:
    """Return how far gradients move when all that they hang on moves by rounding.

    That is far at an exact tie, or where a slope is all but a jump.
    """
    expected, found = autograd(problem, trace, given), 0.0
    for seed in range(3):
        moved = autograd(nudged(problem, seed), trace, given)
        found = max(found, *(error(moved[n], v) for n, v in expected.items()))
    return found
