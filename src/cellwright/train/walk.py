"""A model over one batch after the other, its states going on where they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from cellwright.nn import CarriedStates

from .batches import Batch, Source
from .requirements import same_layout


class Walk:
    """Calls a model with batches.

    Args:
        model: From a batch's input to its prediction, alone or first in a tuple.
        source: Of the batches.
    """

    def __init__(self, model: nn.Module, source: Source):
        self.source = source
        self.carried = CarriedStates(model) if source.carries else None
        self._looked = False

    def predict(self, called: nn.Module, batch: Batch) -> Tensor:
        """Return the prediction for all targets of a batch.

        Args:
            called: The model, or what wraps it.
            batch: The next of the source, in its order.

        Raises:
            SettingsError: In the first batch a layer takes time for rows.
        """
        if self._looked:
            return self._predict(called, batch)
        with same_layout(called, batch):
            said = self._predict(called, batch)
        self._looked = True
        return said

    def _predict(self, called: nn.Module, batch: Batch) -> Tensor:
        if self.carried is None:
            said = _output(called, batch.x, batch.lengths)
            return _new(said, batch) if batch.seen else said
        if batch.continues:
            self.carried.detach()
        else:
            self.carried.clear()
        if not batch.seen:
            with self.carried:
                return _output(called, batch.x, batch.lengths)
        time = 1 - batch.axis
        steps = batch.x.shape[time]
        head, tail = batch.x.split([steps - batch.seen, batch.seen], time)
        with self.carried:
            first = _output(called, head)
        next_begins_with = self.carried.values
        with self.carried:
            second = _output(called, tail)
        self.carried.values = next_begins_with
        return _new(torch.cat([first, second], time), batch)

    def predictions(self, model: nn.Module) -> Iterator[tuple[Batch, Tensor]]:
        """Return every batch of an epoch with what the model says."""
        order = self.source.order()
        for index in range(self.source.batches):
            batch = self.source.batch(order, index)
            yield batch, self.predict(model, batch)

    @property
    def states(self) -> dict[str, Tensor]:
        """The states that the next batch goes on from, by name."""
        return {} if self.carried is None else self.carried.state_dict()

    @states.setter
    def states(self, states: Mapping[str, Tensor]) -> None:
        if self.carried is not None:
            self.carried.load_state_dict(states)


def _new(said: Tensor, batch: Batch) -> Tensor:
    """Return the steps that a window has targets for, its last ones."""
    time = 1 - batch.axis
    new = batch.y.shape[time]
    return said.narrow(time, said.shape[time] - new, new)


def _output(model: nn.Module, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    found = model(x) if lengths is None else model(x, lengths=lengths)
    return found[0] if isinstance(found, tuple) else found
