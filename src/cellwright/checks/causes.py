"""Why a module does not compute a cell: readings under which it would."""

from __future__ import annotations

import itertools

import torch

from .calls import CompareError
from .comparison import row
from .matching import labels, reordered
from .trial import Trial, values

MOST_GATES = 4
"""24 orders of gates are tried; five gates would be 120."""


def likely_causes(trial: Trial) -> tuple[str, ...]:
    """Return every reading under which the module's output is the cell's, in words."""
    causes: list[str] = []
    if _matches(trial.transposed()):
        said = not trial.batch_first
        axes = "[B, T, I]" if said else "[T, B, I]"
        causes.append(
            f"Likely cause: the module reads {axes}, and its output matches so; "
            f"compare with batch_first={said}."
        )
    packed = {
        (source.piece.source, source.piece.parts)
        for sources in trial.matched.values()
        for source in sources
        if 1 < source.piece.parts <= MOST_GATES
    }
    for parts in sorted({parts for _, parts in packed}):
        for order in list(itertools.permutations(range(parts)))[1:]:
            other = reordered(trial.matched, order)
            if _matches(trial.read_as(other)):
                name = min(name for name, count in packed if count == parts)
                gates = ", ".join(labels(name, other))
                causes.append(
                    f"Likely cause: another order of gates; the output matches with "
                    f"the rows of {name} read as {gates}."
                )
    return tuple(causes)


def _matches(trial: Trial) -> bool:
    """Tell whether the outputs of a module and a cell are equal in this reading."""
    try:
        theirs = trial.module_call
        states = trial.states if theirs.takes_states else None
        with torch.no_grad():
            mine = values(trial, theirs, trial.x, states)
            cells = values(trial, trial.cell_call(trial.leaves), trial.x, states)
    except CompareError:
        # A reading in which the module does not run is not the cause.
        return False
    return all(row(name, mine[name], cells[name], ("",) * 3).equal for name in mine)
