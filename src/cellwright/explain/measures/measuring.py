"""Run a network and measure what it does: the front of this room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cellwright.explain.facts import Network
from cellwright.explain.inside import trace
from cellwright.explain.inside.untouched import untouched
from cellwright.explain.watching import in_evaluation

from .descent import descent, twins
from .facts import Measured
from .faults import MeasureError
from .sequence import alike, extents, reaches
from .values import run, spreads, workings


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured.

    Args:
        run: what layers give, units that are twins, and of recurrent layers states, one
            step at a time, and how far back they learn.
        window: steps of one call, for how far back they learn; None for all.
        rates: of one step of gradient descent each, all from the same weights.
        unit: of linear layers, to be worked out.
    """

    run: bool = False
    window: int | None = None
    rates: Sequence[float] = ()
    unit: int | None = None

    @property
    def anything(self) -> bool:
        """Whether something is to be measured."""
        return self.run or bool(self.rates) or self.unit is not None


def measure(module: nn.Module, x: Tensor, facts: Network, asked: Asked) -> Measured:
    """Run a network, in evaluation, and measure what was asked for.

    Args:
        module: stays as it is.
        x: its input.
        facts: of the network, run with an input of that shape.
        asked: what to measure.

    Raises:
        MeasureError: for what this network or input has not.
        TraceError: for recurrent layers that cannot be looked into.
    """
    with untouched(module):
        return _measured(module, x, facts, asked)


def _measured(module: nn.Module, x: Tensor, facts: Network, asked: Asked) -> Measured:
    ran = run(module, x)
    found = Measured(
        workings=() if asked.unit is None else tuple(workings(module, ran, asked.unit)),
        descents=tuple(descent(module, x, rate) for rate in asked.rates),
    )
    if not asked.run:
        return found
    recurrent = any(layer.recurrence for layer in facts.layers)
    if asked.window is not None and not recurrent:
        raise MeasureError(
            "--window: a window is some of the steps of a recurrent layer; found none\n"
            "  fix: leave --window out"
        )
    with in_evaluation(module):
        traces = trace(module, x) if recurrent else None
        far = tuple(reaches(module, x, facts, asked.window)) if recurrent else ()
        return Measured(
            tuple(spreads(ran, facts)),
            tuple(twins(module, x)),
            () if traces is None else tuple(extents(module, traces)),
            () if traces is None else tuple(alike(module, traces)),
            far,
            found.workings,
            found.descents,
        )
