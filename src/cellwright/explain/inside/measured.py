"""The gradient of one loss at every state of every step, put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .outcome import Seen
from .step_by_step import Visit, Visits
from .trace_errors import TraceError

Gradients = dict[int, Tensor]
"""Gradients at nodes, by their identity, of those that the loss hangs on."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Norms of the gradient at one state, back from one loss.

    Args:
        layer: its name.
        state: with layer and direction.
        rows: over k, ``[K, B]``, NaN where a row is shorter.
        places: of the longest row the step at each k, counted through all calls.
        connected: of each such step whether the loss hangs on its state.
        dtype: of the gradients.
    """

    layer: str
    state: str
    rows: Tensor
    places: Sequence[int]
    connected: Sequence[bool]
    dtype: torch.dtype


def measure(seen: Seen, visits: Visits, where: str) -> list[Measured]:
    """Return the norms of a loss's gradient for every state of every layer.

    Args:
        seen: the loss.
        visits: all calls of all layers.
        where: who asks, for messages.

    Raises:
        TraceError: when the graph is gone.
    """
    gradients = _gradients(seen.loss, visits, where)
    last = visits[-1][1]
    found: list[Measured] = []
    for layer in dict.fromkeys(name for name, _ in visits):
        calls = [visit for name, visit in visits if name == layer]
        # The steps of the output are those of a layer that read as many, once.
        known = len(calls) == 1 and calls[0].steps == last.steps
        step = seen.step if known else None
        for suffix in calls[0].nodes:
            for index, name in enumerate(calls[0].names):
                line = _line(calls, suffix, index, gradients)
                found.append(_back(layer, name + suffix, line, step))
    return found


def _gradients(loss: Tensor, visits: Visits, where: str) -> Gradients:
    nodes = {id(node): node for _, visit in visits for node in _nodes(visit)}
    try:
        found = torch.autograd.grad(
            loss, list(nodes.values()), retain_graph=True, allow_unused=True
        )
    except RuntimeError as error:
        if "a second time" not in str(error):
            raise
        raise TraceError(
            where,
            "the gradient is taken after the run, through its graph",
            "a graph that the run went backward through already",
            "return the loss before its backward(), or call "
            "backward(retain_graph=True)",
        ) from error
    pairs = zip(nodes, found, strict=True)
    return {node: value for node, value in pairs if value is not None}


def _nodes(visit: Visit) -> Iterator[Tensor]:
    for steps in visit.nodes.values():
        for states in steps:
            yield from (state for state in states if state.requires_grad)


@dataclass(frozen=True, eq=False)
class _Line:
    """A state in the order in which its direction reads, through all calls.

    Shape:
        - norms, real: ``[N, B]``
    """

    norms: Tensor
    real: Tensor
    connected: list[bool]
    dtype: torch.dtype


def _line(
    calls: Sequence[Visit], suffix: str, index: int, gradients: Gradients
) -> _Line:
    steps, rows = sum(each.steps for each in calls), max(each.rows for each in calls)
    norms = torch.zeros(steps, rows, dtype=torch.float64)
    real = torch.zeros(steps, rows, dtype=torch.bool)
    connected: list[bool] = []
    dtype = calls[0].nodes[suffix][0][index].dtype
    for call in calls:
        keep = call.keep
        if keep is not None and suffix.endswith("_reverse"):
            keep = keep.flip(0)
        for t, states in enumerate(call.nodes[suffix]):
            place = len(connected)
            gradient = gradients.get(id(states[index]))
            connected.append(gradient is not None)
            real[place, : call.rows] = True if keep is None else keep[t].cpu()
            if gradient is not None:
                norms[place, : call.rows] = _norm(gradient)
    return _Line(norms, real, connected, dtype)


def _norm(gradient: Tensor) -> Tensor:
    """Return the norm over the units of each row, also of numbers near the smallest."""
    wide = gradient.detach().double().cpu()
    largest = wide.abs().amax(1)
    scale = largest.where(largest > 0, 1).unsqueeze(1)
    return largest * (wide / scale).norm(dim=1)


def _back(layer: str, state: str, line: _Line, step: int | None) -> Measured:
    """Return norms over k, from the step of the loss back."""
    reached = [place for place, on in enumerate(line.connected) if on]
    end = max(reached, default=len(line.connected) - 1)
    columns: list[list[int]] = []
    for row in range(line.real.shape[1]):
        places = line.real[:, row].nonzero().flatten().tolist()
        if step is None:
            count = sum(place <= end for place in places)
        else:
            count = _until(step, len(places), state.endswith("_reverse"))
        columns.append(places[:count][::-1])
    longest = max(columns, key=len)
    rows = line.norms.new_full((max(len(longest), 1), len(columns)), torch.nan)
    for row, places in enumerate(columns):
        rows[: len(places), row] = line.norms[places, row]
    return Measured(layer, state, rows, longest or [0], line.connected, line.dtype)


def _until(step: int, steps: int, backwards: bool) -> int:
    """Return how many steps a direction has read when it comes to one of them."""
    place = step + steps if step < 0 else step
    if not 0 <= place < steps:
        return 0
    return steps - place if backwards else place + 1
