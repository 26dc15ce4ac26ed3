"""Problems on rewritten graphs: masks, resets, zoneout and dropout."""

from dataclasses import replace
from random import Random

import torch

from cellwright.passes.rewrite import Kind, Rewrites, input_kind, rewrite
from strategies import Problem


def draw_rewrites(random: Random, problem: Problem) -> Rewrites:
    """Return some rewrites; every one of them in half of the draws."""
    states = [s.name for s in problem.graph.states]
    zoned = [name for name in states if random.random() < 0.5]
    # An infinity has no mean with another value; layers refuse it.
    finite = [n for n in zoned if problem.states[n].isfinite().all()]
    mixed = tuple(name for name in finite if random.random() < 0.5)
    flags = [random.random() < 0.5 for _ in range(3)]
    drawn = tuple(name for name in zoned if name not in mixed)
    return Rewrites(flags[0], flags[1], drawn, mixed, flags[2])


def rewritten(problem: Problem, rewrites: Rewrites, random: Random | None) -> Problem:
    """Return the problem on the changed graph.

    Args:
        problem: on the cell's own graph.
        rewrites: which changes.
        random: draws the further inputs; None for those that change nothing.
    """
    graph = rewrite(problem.graph, rewrites)
    steps, rows = next(iter(problem.inputs.values())).shape[:2]
    inputs = dict(problem.inputs)
    for declared in graph.inputs[len(problem.graph.inputs) :]:
        kind, _ = input_kind(declared.name)
        shape = (steps, rows, *(n.evaluate(problem.sizes) for n in declared.shape))
        if random is None:
            value = 1.0 if kind in (Kind.KEEP, Kind.DROP) else 0.0
            inputs[declared.name] = torch.full(shape, value, dtype=torch.float64)
        else:
            draws = torch.Generator().manual_seed(random.getrandbits(32))
            drawn = torch.rand(shape, dtype=torch.float64, generator=draws)
            # A share is any number, the rest yes or no; dropout scales.
            drawn = drawn if kind == Kind.SHARE else (drawn < 0.6).double()
            inputs[declared.name] = drawn * (1.5 if kind == Kind.DROP else 1.0)
    return replace(problem, graph=graph, inputs=inputs)
