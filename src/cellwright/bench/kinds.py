"""How the rows of each kind of case are measured."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from . import first_use, lengths, peers, streaming
from .contender import Contender
from .errors import AbsentError
from .machine import watch
from .measure import measured
from .parity import fault
from .registry import OURS, Case, Shape

Makers = Callable[[Case, str, Shape], Mapping[str, Callable[[], list[Contender]]]]

KINDS: Mapping[str, Makers] = {
    "layer": peers.makers,
    "stream": streaming.makers,
    "lengths": lengths.makers,
}
"""By kind, what makes the contenders of a row; first use is a process of its own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A row to measure."""

    case: Case
    what: str
    shape: Shape

    @property
    def key(self) -> list[Any]:
        """What tells it from all others, as JSON has it."""
        return [self.case.name, self.what, *self.shape]


def row(setting: Setting, turns: int) -> dict[str, Any]:
    """Measure one row: check every contender, then time those that are right.

    Args:
        setting: what is measured.
        turns: how many turns each contender has.

    Returns:
        Its shape, ``seconds`` turn by turn and ``work`` in multiply-adds by contender,
        ``absent`` peers and ``wrong`` ones with the reason, the share of the cores that
        ``others`` took meanwhile, and an ``error`` if our own result was wrong.
    """
    case, what, shape = setting.case, setting.what, setting.shape
    found: dict[str, Any] = {
        "case": case.name,
        "what": what,
        **shape._asdict(),
        "seconds": {},
        "work": {},
        "counts": {},
        "absent": {},
        "wrong": {},
        "error": None,
    }
    others = watch()
    if case.kind == "first use":
        more = first_use.measured(case, shape, turns, torch.get_num_threads())
        found.update(more)
    else:
        contenders = _right(setting, found)
        if found["error"] is None:
            # What the check left over is none of the first contender's time.
            gc.collect()
            found["seconds"] = measured(contenders, turns)
            found["work"] = {each.name: each.work for each in contenders if each.work}
    return {**found, "others": round(others(), 3)}


def _right(setting: Setting, found: dict[str, Any]) -> list[Contender]:
    """Return the contenders that compute what they should; note the others."""
    case, shape = setting.case, setting.shape
    steps = min(case.compared_steps or shape.T, shape.T)
    right: list[Contender] = []
    makers = KINDS[case.kind](case, setting.what, shape)
    for name, make in makers.items():
        try:
            contenders = make()
            faults = [fault(each, steps) for each in contenders]
        except AbsentError as reason:
            found["absent"][name] = str(reason)
            continue
        wrong = next(filter(None, faults), None)
        if wrong is None:
            right += contenders
        elif name == OURS:
            found["error"] = wrong
            return []
        else:
            found["wrong"][name] = wrong
    return right
