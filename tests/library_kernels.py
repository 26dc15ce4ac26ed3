"""Every cell of the library, as it is and with every rewrite, as problems."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from any_cell import sizes_for
from cellwright.cells import load, names
from cellwright.nn.options import resolve_sizes
from cellwright.passes.rewrite import Rewrites
from rewritten_problems import rewritten
from strategies import Problem, draw_problem


def problems() -> Iterator[Problem]:
    """Return the problems, of sizes that are no multiple of any level's lanes."""
    for name in names():
        cell, random = load(name), Random(name)
        sizes = resolve_sizes(cell, cell.graph, *sizes_for(cell.graph, 3, 21))
        plain = draw_problem(cell, random, steps=3, batch=7, sizes=sizes)
        traced = [
            v.name
            for v in plain.graph.values
            if len(plain.graph.nodes[v.node].shape) <= 1
        ]
        yield plain
        every = Rewrites(
            mask=True,
            reset=True,
            zoneout=tuple(s.name for s in cell.graph.states),
            dropout=True,
        )
        yield replace(rewritten(plain, every, random), trace=tuple(traced))
