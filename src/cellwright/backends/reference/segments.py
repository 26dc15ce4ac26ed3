"""Run a graph in segments, of which a backward pass keeps the first states alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cellwright.ir.graph import Graph

from .interpret import Arguments, Result, run


def run_in_segments(
    graph: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
    trace: Sequence[str] = (),
) -> Result:
    """Run a graph as `interpret.run` does; a backward pass runs each segment anew.

    A segment has about as many steps as there are segments: what is kept for each of
    them and what one of them needs grow alike. Chance has no part in a step, its masks
    are inputs, so what runs again is the same.

    Args:
        graph: as in `interpret.run`, like all others.
        arguments: likewise.
        inputs: likewise.
        states: likewise.
        trace: likewise.
    """
    steps = inputs[0].shape[0]
    length = max(1, math.isqrt(steps))
    results: list[Result] = []
    current = tuple(states)
    for begin in range(0, max(1, steps), length):
        seen = [value[begin : begin + length] for value in inputs]
        result: Result = checkpoint(
            run,
            graph,
            arguments,
            seen,
            current,
            trace,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        results.append(result)
        current = result.states
    return Result(
        torch.cat([result.output for result in results]),
        current,
        {
            name: torch.cat([result.traces[name] for result in results])
            for name in trace
        },
    )
