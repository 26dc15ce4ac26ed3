"""From a graph to what runs it: here alone passes and backends are named together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import torch

from cellwright.backends.c.emit import Source, emit
from cellwright.backends.c.kernel import DTYPES, Kernel, build
from cellwright.backends.c.levels import VARIABLE, Level, best_level
from cellwright.backends.c.program import Program
from cellwright.backends.c.sidecar import Description
from cellwright.backends.c.toolchain import why_unavailable
from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph
from cellwright.ir.text import print_graph
from cellwright.passes.pipeline import Back, Forward, Pipeline, compile_graph
from cellwright.passes.simplify import without_first_weights

BACKENDS = ("auto", "c", "reference")
"""What a layer's ``backend=`` may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it runs."""

    backend: str
    reason: str


class BackendError(CellwrightValueError):
    """A backend that does not exist or cannot run this."""


def choose(
    backend: str,
    torch_has_it: bool = False,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Choice:
    """Return the backend that runs, with the reason in words.

    Args:
        backend: what was asked for.
        torch_has_it: whether torch itself computes this (the drop-ins), so that its
            own path can run too, also by the name ``"torch"``.
        device: where it runs; the CPU when it is None.
        dtype: of its tensors; float32 when it is None.

    Raises:
        BackendError: for a name that is no backend, or for ``"c"`` where it cannot run.
    """
    known = (*BACKENDS, "torch") if torch_has_it else BACKENDS
    if backend not in known:
        listed = ", ".join(map(repr, known))
        raise BackendError(f"backend={backend!r} is none of {listed}")
    if backend in ("torch", "reference"):
        return Choice(backend, f"asked for by backend={backend!r}")
    missing = why_not_c(device, dtype)
    if missing is None:
        kernel = f"a compiled kernel, {best_level().name}"
        asked = ", asked for by backend='c'" if backend == "c" else ""
        return Choice("c", kernel + asked)
    if backend == "c":
        raise BackendError(f"backend='c': {missing}")
    return Choice("torch" if torch_has_it else "reference", missing)


def why_not_c(device: torch.device | None, dtype: torch.dtype | None) -> str | None:
    """Return why no kernel can run on such tensors, None if one can."""
    if device is not None and device.type != "cpu":
        return f"there are no kernels for {device.type} yet"
    if dtype is not None and dtype not in DTYPES:
        word = str(dtype).removeprefix("torch.")
        return f"kernels compute in float32 and float64, not in {word}"
    return _why_unavailable(*map(os.environ.get, ("CC", "PATH", VARIABLE)))


@lru_cache(maxsize=16)
def _why_unavailable(*_: str | None) -> str | None:
    # A layer asks at every call; the answer hangs on these words of the environment.
    return why_unavailable()


def program(
    graph: Graph, trace: tuple[str, ...], grad: bool, dtype: torch.dtype
) -> Program:
    """Return a cell's compiled directions, for the level that is chosen now.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values to give out at every step.
        grad: whether there will be a backward pass.
        dtype: of all tensors.
    """
    return _program(without_first_weights(graph), trace, grad, dtype, best_level())


@lru_cache(maxsize=256)
def _program(
    graph: Graph, trace: tuple[str, ...], grad: bool, dtype: torch.dtype, _: Level
) -> Program:
    # `build` asks for the level itself; here it keeps the programs of two levels apart.
    passes = pipeline(graph, trace, grad)
    forward, backward = passes.forward, passes.backward
    text = print_graph(graph)

    def kernel(direction: str, step: Forward | Back) -> Kernel:
        variant = direction if grad or direction == "backward" else "forward only"
        parts = [text, variant, ",".join(trace), str(dtype)]
        what = Description(graph.name, variant, str(dtype).removeprefix("torch."))
        return build(source(graph, step, direction), parts, what)

    return Program(
        forward,
        backward,
        kernel("forward", forward),
        None if backward is None else kernel("backward", backward),
    )


def source(graph: Graph, step: Forward | Back, direction: str) -> Source:
    """Return the C of one direction of a cell."""
    title = f"{graph.name}, {direction}"
    return emit(step.schedule, step.names, direction == "backward", title)


@lru_cache(maxsize=256)
def pipeline(graph: Graph, trace: tuple[str, ...] = (), grad: bool = True) -> Pipeline:
    """Return the schedules of a cell."""
    return compile_graph(graph, trace, grad)
