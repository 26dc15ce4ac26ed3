"""From a graph to the text of its kernels, without torch."""

from __future__ import annotations

from functools import lru_cache

from cellwright.backends.c.emit import emit
from cellwright.backends.c.source import Source
from cellwright.ir.graph import Graph
from cellwright.passes.pipeline import Back, Forward, Gradients, Pipeline, compile_graph


def source(graph: Graph, step: Forward | Back, direction: str) -> Source:
    """Return the C of one direction of a cell."""
    title = f"{graph.name}, {direction}"
    return emit(step.schedule, step.names, direction == "backward", title)


@lru_cache(maxsize=256)
def pipeline(
    graph: Graph, trace: tuple[str, ...] = (), gradients: Gradients = "all"
) -> Pipeline:
    """Return the schedules of a cell."""
    return compile_graph(graph, trace, gradients)
