"""A cell's compiled directions, built at their first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import torch

from cellwright.backends.c.kernel import (
    Kernel,
    build,
    is_kept,
    outer_function,
    outer_parts,
)
from cellwright.backends.c.levels import Level, best_level
from cellwright.backends.c.program import Program
from cellwright.backends.c.repeat import REPEAT_PARTS, library
from cellwright.backends.c.sidecar import Description
from cellwright.ir.graph import Graph
from cellwright.ir.text import print_graph
from cellwright.passes.pipeline import Back, Forward, Gradients
from cellwright.passes.simplify import without_first_weights

from .plan import pipeline, source

VARIANTS: Mapping[tuple[str, Gradients], str] = {
    ("forward", "none"): "forward only",
    ("backward", "weights"): "backward, weights",
}
"""What a direction is called where not all gradients are asked for."""


def program(
    graph: Graph, trace: tuple[str, ...], gradients: Gradients, dtype: torch.dtype
) -> Program:
    """Return a cell's compiled directions, for the level that is chosen now.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values to give out at every step.
        gradients: what the backward pass computes, if there will be one.
        dtype: of all tensors.
    """
    return _program(_bare(graph), trace, gradients, dtype, best_level())


_bare = lru_cache(maxsize=256)(without_first_weights)


@lru_cache(maxsize=256)
def _program(
    graph: Graph,
    trace: tuple[str, ...],
    gradients: Gradients,
    dtype: torch.dtype,
    level: Level,
) -> Program:
    # `build` asks for the level itself; the key keeps the programs of two levels apart.
    passes = pipeline(graph, trace, gradients)
    forward, backward = passes.forward, passes.backward
    text = print_graph(graph)

    def parts(direction: str) -> list[str]:
        variant = VARIANTS.get((direction, gradients), direction)
        return [text, variant, ",".join(trace), str(dtype)]

    def kernel(direction: str, step: Forward | Back) -> Kernel:
        own = parts(direction)
        what = Description(graph.name, own[1], str(dtype).removeprefix("torch."))
        return build(source(graph, step, direction), own, what)

    ahead = partial(kernel, "forward", forward)
    back: Callable[[], Kernel | None] = _nothing
    shared: list[Callable[[], object]] = [library]
    known = [REPEAT_PARTS, parts("forward")]
    if backward is not None:
        back = partial(kernel, "backward", backward)
        shared.append(partial(outer_function, dtype, level))
        known += [outer_parts(dtype), parts("backward")]
    slopes = gradients == "all"
    if all(map(is_kept, known)):
        # Loading is Python's work, of which threads do one piece at a time.
        for each in shared:
            each()
        return Program(forward, backward, ahead(), back(), slopes)
    # A compiler takes a core for a second; several of them take it together.
    with ThreadPoolExecutor(len(known)) as pool:
        first, second = pool.submit(ahead), pool.submit(back)
        for done in [*map(pool.submit, shared)]:
            done.result()
        return Program(forward, backward, first.result(), second.result(), slopes)


def _nothing() -> None:
    """Build no kernel: nobody asks for a gradient."""
