"""What `horizon` returns: how far back in time learning reaches, state by state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwright.language.report import did_you_mean

from .traces import UnknownNameError, table

SHARE = 0.01
"""What of the largest norm still counts as reached."""


@dataclass(frozen=True, eq=False)
class StateHorizon:
    """The norm of d loss_t / d h_{t-k}, over k, of one state of one layer.

    Args:
        layer: its name in the module, or its class if it is the module itself.
        state: with the layer and the direction, ``h_l0`` or ``c_l1_reverse``.
        norms: over k, the mean over the rows that are so long.
        rows: the same of each row, NaN where it is shorter.
        ended: the first k from which on all norms are exactly 0, None if there is none.
        finding: what that means, in a sentence.

    Shape:
        - norms: ``[K]``
        - rows: ``[K, B]``
    """

    layer: str
    state: str
    norms: Tensor
    rows: Tensor
    ended: int | None
    finding: str

    @property
    def relative(self) -> Tensor:
        """Norms over that at k = 0; NaN everywhere if that is 0."""
        return self.norms / self.norms[0] if self.norms[0] else self.norms * torch.nan

    @property
    def reach(self) -> int | None:
        """The largest k whose norm is above 1 % of the largest; None if all are 0."""
        return reach(self.norms)


@dataclass(frozen=True, eq=False, repr=False)
class Horizon(Mapping[str, StateHorizon]):
    """How far back learning reaches, by layer and state: ``horizon["rnn.c_l0"]``.

    Args:
        module: the module's class.
        loss: the value of the loss, their mean if there were several.
        states: in the order of layers, directions and states.

    Raises:
        UnknownNameError: for a name that it has not, with those that it has.
    """

    module: str
    loss: float
    states: Sequence[StateHorizon]

    def __getitem__(self, key: str) -> StateHorizon:
        names = list(self)
        if key in names:
            return self.states[names.index(key)]
        fix = did_you_mean(key, names)
        rule, found = f"no state {key!r}", f"it has {', '.join(names)}"
        raise UnknownNameError(f"Horizon({self.module})", rule, found, fix)

    def __iter__(self) -> Iterator[str]:
        return (f"{each.layer}.{each.state}" for each in self.states)

    def __len__(self) -> int:
        return len(self.states)

    def __repr__(self) -> str:
        rows = [("state", "steps", "reach", "finding")]
        for key, each in self.items():
            far = "none" if each.reach is None else str(each.reach)
            rows.append((key, str(len(each.norms)), far, each.finding))
        head = f"Horizon({self.module}): a loss of {self.loss:.4g}, steps back from it"
        return "\n".join([head, *table(rows)])


def reach(norms: Tensor) -> int | None:
    """Return the largest k whose norm is above 1 % of the largest; None if all are 0.

    Example:
        >>> reach(torch.tensor([1.0, 0.5, 0.02, 0.001]))
        2
    """
    over = (norms > SHARE * norms.max()).nonzero()
    return int(over[-1]) if len(over) else None
