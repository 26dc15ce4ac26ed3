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

MOST_BACK = 32
"""Ways back that are done again: one for each choice of results with a gradient, and of
tensors that one is needed of."""


class Rest:
    """A pass of some tensors, of which some in a row rest; see `Backward`.

    Args:
        whole: the pass.
        rests: where among all that it takes are those that rest.
        places: where they lie.
        run: does its forward part for tensors of one form.
        learns: whether a gradient is asked for.
        does: what looks at tensors.

    Attributes:
        count: how many tensors it takes.
        places: likewise.
        run: likewise; behind the results it returns what the backward part reads.
        results: how many there are.
    """

    def __init__(
        self,
        whole: Whole,
        rests: slice,
        places: Places,
        run: Repeat,
        learns: bool,
        does: Repeats,
    ):
        self.count, self.results = whole.count, whole.results
        self.places, self.run = places, run
        self._whole, self._learns, self._form = whole, learns, does.form
        self._rests = rests
        self._back: dict[Hashable, Repeat] = {}

    def again(self, tensors: tuple[Tensor, ...]) -> Sequence[Tensor]:
        """Return the results.

        Args:
            tensors: all that the pass takes; those that rest are where they were, the
                others have the forms that they had.
        """
        return (
            _RestingForward.apply(self, *tensors) if self._learns else self.run(tensors)
        )

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
        if is_recorded():
            return None
        given = _flat(arriving)
        run = self._back.get(self._setting(saved, given, needs))
        if run is None or not self.places.hold(saved[self._rests]):
            return None
        return run((*saved, *_there(given)))

    def gradients(
        self,
        tensors: tuple[Tensor, ...],
        arriving: Sequence[Tensor | None],
        needs: tuple[bool, ...],
        /,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the tensors, and note how to find them again.

        Between the two parts a weight may have moved, and hooks of saved tensors may
        have changed any tensor. Then nothing is noted.
        """
        found = self.back_again(tensors, arriving, needs)
        if found is not None:
            return found
        whole = self._whole
        found = whole.gradients(tensors, arriving, needs)
        if is_recorded() or len(self._back) >= MOST_BACK:
            return found
        given = _flat(arriving)
        setting = self._setting(tensors, given, needs)
        if setting is not None:
            own, asks = (*tensors, *_there(given)), whole.asks(arriving, needs)
            run = whole.resting_back(own, asks, self._rests, needs)
            # Asked at last: another thread may have moved one meanwhile.
            if run is not None and self.places.hold(tensors[self._rests]):
                self._back[setting] = run
        return found

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results by torch's own operations."""
        return self._whole.values(tensors)

    def _setting(
        self,
        saved: tuple[Tensor, ...],
        given: Sequence[Tensor | None],
        needs: tuple[bool, ...],
    ) -> Hashable:
        """Return what a way back hangs on beside what rests; None where none rests."""
        begin, end = self._rests.start, self._rests.stop
        form = self._form(*saved[:begin], *saved[end:], *given)
        return form and (needs, team_of(), form)


class _RestingForward(torch.autograd.Function):
    """`Forward` of a pass that rests."""

    @staticmethod
    def forward(ctx: Any, rest: Rest, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = rest.run(tensors)
        ctx.rest = rest
        ctx.save_for_backward(*tensors, *found[rest.results :])
        ctx.set_materialize_grads(False)
        return found[: rest.results]

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        rest, saved, needs = ctx.rest, ctx.saved_tensors, ctx.needs_input_grad
        is_usual = not (torch.is_grad_enabled() or is_transformed())
        if is_usual and not torch.compiler.is_compiling():
            found = rest.back_again(saved, arriving, needs[1:])
            if found is not None:
                return None, *found
        return back_through(rest, saved, arriving, needs)


def _flat(gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if gradient is None else flat(gradient) for gradient in gradients]


def _there(gradients: Sequence[Tensor | None]) -> list[Tensor]:
    return [gradient for gradient in gradients if gradient is not None]
