"""A whole pass, done again while its weights stay where they are.

Of a small layer's training step a tenth went into the forms of tensors that had not
changed, most of them asked for three times; of its call without gradients a quarter.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from torch import Tensor

from cellwright.backends.c.admit import flat
from cellwright.backends.c.repeat import Repeat, Repeats
from cellwright.backends.c.tape import team_of

from .differentiable import Forward
from .doors import is_recorded
from .places import Places
from .whole import Whole

MOST_BACK = 8
"""Ways back that are done again: one for each choice of results with a gradient."""


class Rest:
    """A pass of some tensors, of which all but the first ones rest; see `Pass`.

    Args:
        whole: the pass.
        states: how many first states rest.
        weights: where the weights do.
        run: does its forward part for tensors of one form.
        learns: whether a gradient is asked for.
        does: what looks at tensors.
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
        self._whole, self._run, self._form = whole, run, does.form
        self._weights_at = whole.count - len(weights)
        self._moving = self._weights_at - states
        self._back: dict[Hashable, Repeat] = {}

    def again(self, tensors: tuple[Tensor, ...]) -> Sequence[Tensor]:
        """Return the results.

        Args:
            tensors: all that the pass takes; those that rest are where they were, the
                others have the forms that they had.
        """
        return Forward.apply(self, *tensors) if self.learns else self._run(tensors)

    def kept(
        self, tensors: tuple[Tensor, ...]
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the results, and what the backward pass reads beside the tensors."""
        return self._whole.apart(self._run(tensors))

    def gradients(
        self,
        tensors: tuple[Tensor, ...],
        arriving: Sequence[Tensor | None],
        needs: Sequence[bool],
        /,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the tensors, see `Pass`.

        Between the two parts a weight may have moved. Hooks of saved tensors may have
        changed any tensor; what they give back is no Parameter, so one is enough.
        """
        whole = self._whole
        given = [flat(gradient) for gradient in arriving if gradient is not None]
        form = self._form(*tensors[: self._moving], *tensors[self.count :], *given)
        resting = tensors[self._weights_at : self.count]
        if form is None or is_recorded() or not self.weights.hold(resting):
            return whole.gradients(tensors, arriving, needs)
        asks = whole.asks(arriving, needs)
        setting = asks, team_of(), form
        run = self._back.get(setting)
        if run is not None:
            return whole.placed(asks, run((*tensors, *given)))
        found = whole.gradients(tensors, arriving, needs)
        run = whole.resting_back((*tensors, *given), asks, self._moving)
        if run is not None and len(self._back) < MOST_BACK:
            self._back[setting] = run
        return found

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results by torch's own operations."""
        return self._whole.values(tensors)
