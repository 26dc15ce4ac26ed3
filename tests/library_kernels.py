"""Every cell of the library, as it is or with every rewrite, as problems."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from any_cell import sizes_for
from cellwright.backends.c.levels import runnable_levels
from cellwright.cells import load, names
from cellwright.nn.options import resolve_sizes
from cellwright.passes.rewrite import Rewrites
from rewritten_problems import rewritten
from strategies import Problem, draw_problem

UNLIKE = [
    "cifg",
    "elman",
    "elman_relu",
    "gru",
    "izhikevich",
    "lstm",
    "lstm_norm_joint",
    "lstm_proj",
    "peephole_lstm",
    "phased_lstm",
    "rhn",
    "slstm",
]
"""Cells as different to a kernel as cells are: gates, norms, projections, blocks,
micro-steps, spikes, further inputs."""


def problems(level: str, dtype: str) -> Iterator[Problem]:
    """Return the problems, of sizes that are no multiple of any level's lanes.

    They are of every cell on the widest level in float32, and elsewhere, because a
    compiler takes a second for each, of those that differ most. These have every
    rewrite, whose text holds that of the plain cell; on the widest level they come
    plain too, and the others only so.
    """
    every = (level, dtype) == (runnable_levels()[0].name, "float32")
    for name in names() if every else UNLIKE:
        cell, random = load(name), Random(name)
        sizes = resolve_sizes(cell, cell.graph, *sizes_for(cell.graph, 3, 21))
        plain = draw_problem(cell, random, steps=3, batch=7, sizes=sizes)
        traced = [
            v.name
            for v in plain.graph.values
            if len(plain.graph.nodes[v.node].shape) <= 1
        ]
        if every:
            yield plain if name in UNLIKE else replace(plain, trace=tuple(traced))
        if name not in UNLIKE:
            continue
        rewrites = Rewrites(
            mask=True,
            reset=True,
            zoneout=tuple(s.name for s in cell.graph.states),
            dropout=True,
        )
        yield replace(rewritten(plain, rewrites, random), trace=tuple(traced))
