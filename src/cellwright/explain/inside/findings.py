"""Why a gradient ends where it ends, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .horizons import SHARE
from .step_by_step import Visit


def finding(
    norms: Tensor,
    ended: int | None,
    visits: Sequence[Visit],
    place: int,
    connected: bool,
    dtype: torch.dtype,
) -> str:
    """Say what norms over k show.

    Args:
        norms: over k.
        ended: from which k on all are exactly 0.
        visits: the calls of the layer.
        place: the step at k = ended, counted through all calls in the order of reading.
        connected: whether the graph leads there.
        dtype: of the gradients.
    """
    if ended is None:
        if len(norms) == 1:
            return "it has read one step by then, and there is no other to reach"
        share = float(norms[-1] / norms.max())
        how = "decay" if share <= SHARE else "no decay to 1 %"
        left = f"{share:.2g} of the largest norm is left"
        return f"{how}: {left} at the first step, k={len(norms) - 1}"
    why = "" if connected else _between(visits, place)
    if ended == 0:
        flat = "the loss is flat there" if connected else "nothing leads there"
        return f"no gradient arrives at all: {flat}{why}"
    if connected:
        flat = _flat(norms, ended, visits, dtype)
        return f"exactly 0 from k={ended} on, and no cut: {flat}"
    why = why or "; the layer's own step cuts it"
    return f"a cut, not decay: exactly 0 from k={ended} on{why}"


def _flat(
    norms: Tensor, ended: int, visits: Sequence[Visit], dtype: torch.dtype
) -> str:
    smallest = torch.finfo(dtype).tiny / torch.finfo(dtype).eps
    if float(norms[ended - 1]) < smallest:
        word = str(dtype).removeprefix("torch.")
        return f"decay below the smallest number of {word}"
    if any(visit.reset for visit in visits):
        return "a reset begins a new sequence there"
    return "a slope of exactly 0, as of units that are off"


def _between(visits: Sequence[Visit], place: int) -> str:
    """Say what lies between the step at a place and the next, if that is a call."""
    ends = 0
    for number, visit in enumerate(visits):
        ends += visit.steps
        if place >= ends:
            continue
        if not visit.graded:
            return f"; call {number} of the layer ran under torch.no_grad()"
        if place != ends - 1 or number + 1 == len(visits):
            return ""
        given = f"call {number + 1} of the layer was given"
        if visits[number + 1].handed == "nothing":
            return f"; {given} no states"
        if visits[number + 1].handed == "values":
            return f"; the states that {given} were detached, or made without gradients"
        return f"; between the calls {number} and {number + 1} of the layer"
    return ""
