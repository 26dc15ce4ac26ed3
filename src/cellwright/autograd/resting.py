"""A whole pass, done again while its weights stay where they are.

Of a small layer's training step a tenth went into the forms of tensors that had not
changed, most of them asked for three times; of its call without gradients a quarter.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from cellwright.backends.c.admit import flat
from cellwright.backends.c.repeat import Repeat, Repeats
from cellwright.backends.c.tape import team_of

from .differentiable import back_through, is_transformed
from .doors import is_recorded
from .places import Places
from .whole import Whole

MOST_BACK = 8
"""Ways back that are done again: one for each choice of results with a gradient."""


class Rest:
    """A pass of some tensors, of which all but the first ones rest; see `Backward`.

    Args:
        whole: the pass.
        states: how many first states rest.
        weights: where the weights do.
        run: does its forward part for tensors of one form.
        learns: whether a gradient is asked for.
        does: what looks at tensors.

    Attributes:
        run: likewise; behind the results it returns what the backward part reads.
        results: how many there are.
    """

    def __init__(
        self,
        whole: Whole,
        states: int,
        weights: Places,
        run: Repeat,
        learns: bool,
        does: Repeats,
    ):
        self.count, self.weights, self.learns = whole.count, weights, learns
        self.run, self.results = run, whole.results
        self._whole, self._form = whole, does.form
        self._weights_at = whole.count - len(weights)
        self._moving = self._weights_at - states
        self._back: dict[Hashable, Repeat] = {}

    def again(self, tensors: tuple[Tensor, ...]) -> Sequence[Tensor]:
        """Return the results.

        Args:
            tensors: all that the pass takes; those that rest are where they were, the
                others have the forms that they had.
        """
        return _Again.apply(self, *tensors) if self.learns else self.run(tensors)

    def back_again(
        self,
        saved: tuple[Tensor, ...],
        arriving: Sequence[Tensor | None],
        needs: tuple[bool, ...],
    ) -> tuple[Tensor | None, ...] | None:
        """Return the gradients of all tensors; None where it was not done before.

        Args:
            saved: what the pass took, and behind it what it kept.
            arriving: gradients of the results, None for those that there are none of.
            needs: which of the tensors that it took a gradient is needed of.
        """
        given = _flat(arriving)
        run = self._back.get(self._setting(saved, given, needs))
        if run is None or is_recorded() or not self._rest(saved):
            return None
        return run((*saved, *_there(given)))

    def gradients(
        self,
        tensors: tuple[Tensor, ...],
        arriving: Sequence[Tensor | None],
        needs: tuple[bool, ...],
        /,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the tensors, and note how to find them again."""
        whole = self._whole
        found = whole.gradients(tensors, arriving, needs)
        if len(self._back) < MOST_BACK and self._rest(tensors):
            given = _flat(arriving)
            setting = self._setting(tensors, given, needs)
            own, asks = (*tensors, *_there(given)), whole.asks(arriving, needs)
            run = whole.resting_back(own, asks, self._moving, needs)
            if run is not None and setting is not None:
                self._back[setting] = run
        return found

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results by torch's own operations."""
        return self._whole.values(tensors)

    def _rest(self, saved: tuple[Tensor, ...]) -> bool:
        """Whether those rest of which that is assumed.

        Between the two parts a weight may have moved. Hooks of saved tensors may have
        changed any tensor; what they give back is no Parameter, so one is enough.
        """
        return self.weights.hold(saved[self._weights_at : self.count])

    def _setting(
        self,
        saved: tuple[Tensor, ...],
        given: Sequence[Tensor | None],
        needs: tuple[bool, ...],
    ) -> Hashable:
        """Return what a way back hangs on beside what rests; None where none rests."""
        form = self._form(*saved[: self._moving], *saved[self.count :], *given)
        return form and (needs, team_of(), form)


class _Again(torch.autograd.Function):
    """`Forward` of a pass that rests."""

    @staticmethod
    def forward(ctx: Any, rest: Rest, *tensors: Tensor) -> tuple[Tensor, ...]:
        found, ctx.rest = rest.run(tensors), rest
        ctx.save_for_backward(*tensors, *found[rest.results :])
        ctx.set_materialize_grads(False)
        return found[: rest.results]

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        rest, saved, needs = ctx.rest, ctx.saved_tensors, ctx.needs_input_grad
        if not torch.is_grad_enabled() and not is_transformed():
            found = rest.back_again(saved, arriving, needs[1:])
            if found is not None:
                return None, *found
        return back_through(rest, saved, arriving, needs)


def _flat(gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if gradient is None else flat(gradient) for gradient in gradients]


def _there(gradients: Sequence[Tensor | None]) -> list[Tensor]:
    return [gradient for gradient in gradients if gradient is not None]
