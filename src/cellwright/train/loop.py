"""The training loop: plain steps over batches, each epoch measured on the middle block.

It knows modules, batches and a recipe, and nothing of what they are about.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .batches import Batch, Source
from .checkpoint import Checkpoints
from .errors import DivergedError, InterruptedRunError, SettingsError
from .nonfinite import in_gradients, where_it_began
from .parallel import Group
from .recipe import Recipe
from .requirements import require_fitting, require_number, says_true
from .restarts import draw_again, require_drawable
from .state import Epoch, Kept, State, described, restore, save
from .walk import Walk

Loss = Callable[[Tensor, Tensor], Tensor]
"""From predictions and targets to their mean loss."""


@dataclass(frozen=True)
class Event:
    """What a callback is told.

    Attributes:
        kind: ``"begin"`` before the first step, ``"step"`` after each, ``"epoch"``
            after each epoch and its measurement, ``"end"`` when the training is over.
        loop: The loop, with its model, recipe and learning rate.
        state: Where it stands; ``state.step`` counts the steps.
        loss: Of the step, the mean of the epoch, or the best of all at the end.
        pairs: After a step, what the model said before it and what it should have said,
            to all rows; a pair for each batch of the step.
    """

    kind: Literal["begin", "step", "epoch", "end"]
    loop: Loop
    state: State
    loss: float
    pairs: tuple[tuple[Tensor, Tensor], ...] = ()


Callback = Callable[[Event], object]
"""Any function of an event; what returns True for a step or an epoch ends the training.

One that has ``state_dict`` and ``load_state_dict``, of plain data, is kept in
checkpoints.
"""


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of tensors of one shape.

    Raises:
        SettingsError: The shapes differ; torch would stretch one to fit the other.
    """
    if prediction.shape != target.shape:
        raise SettingsError(
            "the model's output and the target have one shape; found "
            f"{list(prediction.shape)} and {list(target.shape)}\n"
            "  fix: give y the shape of the output, or a loss that takes both"
        )
    return nn.functional.mse_loss(prediction, target)


@dataclass
class Loop:
    """One run of training.

    ``run`` ends with the best weights in the model: those of the epoch with the least
    loss on the middle block, or in training if there is none. What a callback ends
    without a middle block keeps the weights that it ended with; the epoch that it cut
    short counts as one.

    Attributes:
        model: From a batch's input to its prediction, alone or first in a tuple. It has
            its first weights, and is changed in place.
        source: Where batches come from.
        recipe: How the weights are changed.
        loss: Mean loss of a batch.
        measure: The loss on the middle block, of a model in evaluation mode; None if
            there is none.
        checkpoints: Where the run is kept; None to keep it in memory only.
        checkpoint_seconds: A checkpoint is due when so much time has passed.
        should_stop: Asked after each step; True saves and stops.
        callbacks: Told of every step and epoch, in the leading process.
        group: The processes that share the work.
        optimiser: Of the model's parameters; the recipe's if None. A recipe's learning
            rate is not that of an optimiser that is given.
    """

    model: nn.Module
    source: Source
    recipe: Recipe
    loss: Loss = squared_error
    measure: Callable[[nn.Module], float] | None = None
    checkpoints: Checkpoints | None = None
    checkpoint_seconds: float = math.inf
    should_stop: Callable[[], bool] = lambda: False
    callbacks: Sequence[Callback] = ()
    group: Group = field(default_factory=Group)
    optimiser: torch.optim.Optimizer | None = None

    def __post_init__(self) -> None:
        self.group.agree(self.model)
        self.averaged = copy.deepcopy(self.model) if self.recipe.average else self.model
        self.walk = Walk(self.model, self.source)
        self._data = {} if self.checkpoints is None else described(self.source)
        if self.recipe.restarts:
            require_drawable(self.model)
        self._optimiser = self.optimiser or self._make_optimiser()
        require_fitting(self._optimiser, self.model)
        groups = self._optimiser.param_groups
        self._rates = [group["lr"] for group in groups]
        self._changed = [weight for group in groups for weight in group["params"]]
        self.epoch_steps = math.ceil(self.source.batches / self.recipe.accumulate)
        self.steps = self.epoch_steps * self.recipe.epochs

    def begin(self) -> State:
        """Return the state of the newest checkpoint, or that of the beginning."""
        found = None
        if self.checkpoints is not None:
            found = restore(self.checkpoints, self._kept())
        if found is None:
            return State(order=self.source.order())
        state, carried = found
        self.walk.states = {n: self.group.own(v, 1) for n, v in carried.items()}
        return state

    def run(self, state: State) -> None:
        """Train from a state to the end.

        Raises:
            DivergedError: The loss is no longer finite.
            CheckpointError: A checkpoint could not be written.
            InterruptedRunError: Somebody asked to stop; a checkpoint holds the state.
        """
        self._steps(state)
        if state.ended and state.batch:
            self._tell(self._end_epoch(state))
        self._save(state)
        last = state.ended and self.measure is None
        weights = self.averaged.state_dict() if last else state.best
        if weights:
            self.model.load_state_dict(weights)
        self.model.eval()
        best = state.best_epoch
        self._tell(
            Event("end", self, state, math.nan if best is None else best.decides)
        )

    def _steps(self, state: State) -> None:
        """Take steps until the training has ended."""
        self._tell(Event("begin", self, state, math.nan))
        saved = clock = time.monotonic()
        while not (state.ended or self._finished(state)):
            ended = self._tell(self._step(state))
            if state.batch == self.source.batches:
                ended |= self._tell(self._end_epoch(state))
            now = time.monotonic()
            state.seconds, clock = state.seconds + now - clock, now
            asked, due, state.ended = self.group.any(
                self.should_stop(), now - saved >= self.checkpoint_seconds, ended
            )
            if asked or due:
                self._save(state)
                saved = time.monotonic()
            if asked and not state.ended:
                raise InterruptedRunError(self._interrupted(state))

    @property
    def learning_rate(self) -> float:
        """That of the last step, of the optimiser's first group of parameters."""
        return self._optimiser.param_groups[0]["lr"]

    @property
    def _keeping(self) -> list[Any]:
        """The callbacks that checkpoints keep."""
        return [c for c in self.callbacks if hasattr(c, "load_state_dict")]

    def _make_optimiser(self) -> torch.optim.Optimizer:
        return self.recipe.make_optimiser(self.model.parameters())

    def _parts(self) -> dict[str, nn.Module]:
        parts = {"model": self.model}
        return (
            parts
            if self.averaged is self.model
            else {**parts, "averaged": self.averaged}
        )

    def _finished(self, state: State) -> bool:
        recipe = self.recipe
        if not state.finished(recipe.epochs, recipe.patience):
            return False
        if state.restart == recipe.restarts:
            return True
        state.restart += 1
        state.begun = len(state.curve)
        # Else the numbers could be those that the caller drew the first weights from.
        torch.manual_seed(Random(f"{recipe.seed} {state.restart}").getrandbits(32))
        draw_again(self.model)
        if self.averaged is not self.model:
            self.averaged.load_state_dict(self.model.state_dict())
        self._optimiser.state.clear()
        return False

    def _step(self, state: State) -> Event:
        """Change the weights once."""
        recipe = self.recipe
        self.model.train()
        self._optimiser.zero_grad()
        self.model.zero_grad()  # what the optimiser does not change has gradients too
        since = state.step - state.begun * self.epoch_steps
        factor = recipe.rate(since, self.steps)
        pairs = zip(self._optimiser.param_groups, self._rates, strict=True)
        for group, rate in pairs:
            group["lr"] = rate * factor
        begin = state.batch
        end = min(begin + recipe.accumulate, self.source.batches)
        batches = [self.source.batch(state.order, i) for i in range(begin, end)]
        count = sum(batch.count for batch in batches)
        done = [
            self._batch(state, whole, place, whole.count / count)
            for place, whole in enumerate(batches)
        ]
        losses = [loss for loss, _ in done]
        self.group.add_gradients(self._changed)
        norm = nn.utils.clip_grad_norm_(self._changed, recipe.clip)
        if not torch.isfinite(norm):
            found = f"loss {losses[-1]:g}, gradient norm {norm.item():g}"
            raise self._diverged(state, found, in_gradients(self.model))
        self._optimiser.step()
        state.step += 1
        if self.averaged is not self.model:
            self._average(recipe.kept(since + 1))
        state.batch = end
        parts = zip(batches, losses, strict=True)
        mean = math.fsum(loss * (part.count / count) for part, loss in parts)
        return Event("step", self, state, mean, tuple(pair for _, pair in done))

    def _batch(
        self, state: State, whole: Batch, place: int, share: float
    ) -> tuple[float, tuple[Tensor, Tensor]]:
        """Add the gradients of one batch, which has a share in its step.

        Returns:
            Its loss, and what was said and should have been.
        """
        if self.recipe.noise and whole.x.is_floating_point():
            noise = self.recipe.noise * torch.randn_like(whole.x)
            whole = replace(whole, x=whole.x + noise)
        batch, weight = self.group.part(whole)
        with self.group.own_randomness(self.recipe.seed, state.step, place):
            before = torch.get_rng_state(), self.walk.states
            prediction = self.walk.predict(self.model, batch)
            mine = require_number(self.loss(prediction, batch.y))
            loss = self.group.total(mine.detach() * weight).item()
            if not math.isfinite(loss):
                own = "" if torch.isfinite(mine) else self._located(batch, *before)
                where = self.group.first(own)
                raise self._diverged(state, f"loss {loss:g}", where)
            (mine * (weight * share)).backward()
        state.loss_sum += loss * whole.count
        state.count += whole.count
        kept = prediction.detach().narrow(
            whole.target_axis, 0, batch.rows if weight else 0
        )
        return loss, (self.group.joined(kept, whole.target_axis), whole.y)

    def _located(
        self, batch: Batch, randomness: Tensor, states: dict[str, Tensor]
    ) -> str:
        """Run a batch whose loss is not finite once more, and watch."""
        wrong = int((~torch.isfinite(batch.y)).sum())
        if wrong:
            return (
                f"the target, {wrong} of whose {batch.y.numel()} numbers are not finite"
            )
        torch.set_rng_state(randomness)
        self.walk.states = states
        with torch.no_grad():
            return where_it_began(
                self.model, lambda: self.walk.predict(self.model, batch), batch.x
            )

    @torch.no_grad()
    def _average(self, kept: float) -> None:
        """Move the averaged weights towards the present ones; take over buffers."""
        pairs = zip(self.averaged.parameters(), self.model.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - kept)
        buffers = zip(self.averaged.buffers(), self.model.buffers(), strict=True)
        for there, here in buffers:
            there.copy_(here)

    def _end_epoch(self, state: State) -> Event:
        number = len(state.curve) + 1
        middle = None
        if self.measure is not None:
            self.averaged.eval()
            with torch.no_grad():
                middle = self.group.led(self.measure(self.averaged))
            if not math.isfinite(middle):
                found = f"middle block error {middle:g}"
                raise self._diverged(state, found, when="at the end")
        row = Epoch(number, state.loss_sum / state.count, middle)
        former = state.best_epoch
        state.curve.append(row)
        if former is None or row.decides < former.decides:
            weights = self.averaged.state_dict()
            state.best = {name: value.clone() for name, value in weights.items()}
        state.batch, state.count, state.loss_sum = 0, 0, 0.0
        state.order = self.source.order()
        return Event("epoch", self, state, row.training_loss)

    def _tell(self, event: Event) -> bool:
        """Tell the callbacks; say whether one of them ends the training."""
        if not self.group.leads:
            return False
        # The other processes do not draw what a callback draws.
        with torch.random.fork_rng(devices=[]):
            # All of them are told, also behind one that ends the training.
            answers = [callback(event) for callback in self.callbacks]
        return any(says_true(answer) for answer in answers)

    def _save(self, state: State) -> None:
        if self.checkpoints is None:
            return
        states = {n: self.group.joined(v, 1) for n, v in self.walk.states.items()}
        if self.group.leads:
            save(self.checkpoints, state, self._kept(), states)
        self.group.wait()

    def _kept(self) -> Kept:
        own = self._optimiser, self._rates, self._keeping
        return Kept(self._parts(), *own, self._data)

    def _diverged(
        self, state: State, found: str, where: str = "", when: str = ""
    ) -> DivergedError:
        recipe = self.recipe
        former = None if self.checkpoints is None else self.checkpoints.former
        kept = "" if former is None else f"\n  left:  checkpoint {former}, from before"
        began = "" if not where else f"\n  began: {where}"
        rate = self.learning_rate
        slower = f"a smaller learning_rate, such as {rate / 10:g}, or a smaller clip"
        given = where.startswith(("the input", "the target"))
        fix = "data whose numbers are all finite" if given else slower
        return DivergedError(
            f"training diverged {when or f'in step {state.step + 1}'} of epoch "
            f"{len(state.curve) + 1}: losses and gradients must be finite\n"
            f"  found: {found}, at learning rate {rate:g}, clip {recipe.clip:g}"
            f"{began}\n"
            f"  fix:   {fix}{kept}"
        )

    def _interrupted(self, state: State) -> str:
        where = f"interrupted in epoch {len(state.curve) + 1}, after step {state.step}"
        if self.checkpoints is None:
            return f"{where}; no checkpoints were asked for, so none is left"
        return (
            f"{where}; everything is in {self.checkpoints.folder}\n"
            "  to go on: the same command with --resume (in Python: resume=True)"
        )
