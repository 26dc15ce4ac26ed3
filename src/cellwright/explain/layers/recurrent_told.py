"""A recurrent layer in sentences, with the numbers of its own sizes and input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from cellwright.explain.arithmetic import counted, together
from cellwright.explain.facts import Place, Recurrence

from .recurrent import Made, multiply_adds, recurrence
from .told import Seen, Size, Told


def recurrent(module: nn.Module, made: Made, seen: Seen) -> Told:
    """Tell a recurrent layer."""
    single = isinstance(module, nn.RNNCellBase)
    batch_first = bool(getattr(module, "batch_first", False))
    axes = ("batch", "time") if batch_first else ("time", "batch")
    takes = seen.takes[0] if seen.takes else None
    steps, rows = _extent(takes, single, batch_first)
    found = recurrence(made, steps, batch_first)
    if single:
        found = replace(found, places=tuple(_of_one_step(found)))
    adds = None if takes is None else multiply_adds(found, steps or 1, rows)
    names = ("batch", "features") if single else (*axes, "features")
    if takes is not None and len(takes) < len(names):
        names = tuple(name for name in names if name != "batch")
    return Told(
        together(each.parameters for each in found.directions),
        adds,
        (*_remarks(found, batch_first, single), *_begins(found, seen, single)),
        names,
        names,
        found,
    )


def _of_one_step(found: Recurrence) -> Iterator[Place]:
    """Say what a single step returns: its states, a tuple where there are several."""
    many = len(found.states) > 1
    for i, state in enumerate(found.states):
        place = f"result[{i}]" if many else "result"
        yield Place(place, f"{state.name} after this one step, [B, {state.size}]")


def _extent(
    takes: Size | None, single: bool, batch_first: bool
) -> tuple[int | None, int]:
    """Return the steps and the rows of an input."""
    if takes is None:
        return None, 1
    *lead, _ = takes
    if single:
        return 1, math.prod(lead)
    if len(lead) < 2:
        return lead[0], 1
    return (lead[1], lead[0]) if batch_first else (lead[0], lead[1])


def _remarks(found: Recurrence, batch_first: bool, single: bool) -> Iterator[str]:
    states = " and ".join(f"{s.name} has {s.size}" for s in found.states)
    yield f"{counted(found.units, 'unit')}: {states} numbers"
    if found.gates:
        listed = ", ".join(f"{gate.name} {gate.size}" for gate in found.gates)
        yield f"values at every step beside these: {listed}"
    first, h = found.directions[0], found.states[0]
    before = {
        "all": f"{h.name} of one step earlier, all {counted(h.size, 'number')} of it",
        "head": f"those numbers of {h.name} of one step earlier that its head has",
        "own": f"its own {h.name} of one step earlier alone",
    }[found.sees]
    yield (
        f"each unit sees {counted(first.inputs, 'number')} of the input at this step, "
        f"and {before}"
    )
    if found.steps is not None and not single:
        yield (
            f"the same weights at each of {counted(found.steps, 'step')}: units are "
            f"not steps, and {counted(found.units, 'unit')} take any number of these"
        )
    for each in found.directions:
        if each.layer and not each.backwards:
            yield (
                f"layer {each.layer} takes {each.sees}; its own states begin by "
                "themselves, not with those of the layer below"
            )
    if batch_first:
        yield "batch_first turns input and output alone: states stay [layers, B, n]"


def _begins(found: Recurrence, seen: Seen, single: bool) -> Iterator[str]:
    """Say what the states of the first step are, and who else may give them."""
    if single or len(seen.gives) <= len(found.states):
        return
    shapes = seen.gives[1 : 1 + len(found.states)]
    pairs = zip(found.states, shapes, strict=True)
    listed = " and ".join(f"{state.name} {list(shape)}" for state, shape in pairs)
    yield (
        "it begins with first states of its own, or with those that it is handed "
        f"beside the input: {listed}, such as another layer's last ones"
    )
