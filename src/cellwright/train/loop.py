"""The training loop: plain steps over batches, each epoch measured on the middle block.

It knows modules, batches and a recipe, and nothing of what they are about.
"""

from __future__ import annotations

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
from .loss import Loss, squared_error
from .nonfinite import FINITE, in_gradients, in_weights, where_it_began
from .parallel import Group
from .recipe import Recipe
from .requirements import require_fitting, require_number, says_true
from .state import Epoch, Kept, State, described, restore, save
from .trained import Trained
from .walk import Walk


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

One with ``reads_pairs = False`` spares the loop the pairs. One that has ``state_dict``
and ``load_state_dict``, of plain data, is kept in checkpoints.
"""


@dataclass(frozen=True)
class Part:
    """What a batch adds to its step.

    Attributes:
        loss: Its mean.
        count: The numbers that it is the mean of.
        pair: What was said and should have been, where a callback reads it.
    """

    loss: float
    count: int
    pair: tuple[Tensor, Tensor] | None


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
        self._optimiser = self.optimiser or self._make_optimiser()
        require_fitting(self._optimiser, self.model)
        own = self.model, self._optimiser, self.loss
        self.trained = Trained(*own, bool(self.recipe.average))
        self.trained.agree(self.group)
        self.walk = Walk(self.model, self.source)
        if self.recipe.restarts:
            self.trained.require_drawable()
        self._rates = [group["lr"] for group in self._optimiser.param_groups]
        self._told = {} if self.checkpoints is None else self._outline()
        self.epoch_steps = math.ceil(self.source.batches / self.recipe.accumulate)
        self.steps = self.epoch_steps * self.recipe.epochs

    def begin(self) -> State:
        """Return the state of the newest checkpoint, or that of the beginning."""
        found = None
        if self.checkpoints is not None:
            found = restore(self.checkpoints, self._kept(), self.group)
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
        last = (state.ended and self.measure is None) or not state.best
        self.trained.take(self.trained.copied() if last else state.best)
        self.trained.agree(self.group)  # Statistics of a batch are of a process' rows.
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

    def _outline(self) -> dict[str, Any]:
        """Return what a run that goes on has to have beside the same weights."""
        loss = getattr(self.loss, "__qualname__", type(self.loss).__name__)
        middle = self.measure is not None
        return {**described(self.source), "loss": loss, "a middle block": middle}

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
        self.trained.draw_again()
        self._optimiser.state.clear()
        return False

    def _step(self, state: State) -> Event:
        """Change the weights once."""
        recipe = self.recipe
        self.model.train()
        self._optimiser.zero_grad()
        self.model.zero_grad()  # what the optimiser does not change has gradients too
        since = state.step - state.begun * self.epoch_steps
        self._set_rates(recipe.rate(since, self.steps))
        end = min(state.batch + recipe.accumulate, self.source.batches)
        parts = [
            self._batch(state, self.source.batch(state.order, index), place)
            for place, index in enumerate(range(state.batch, end))
        ]
        count = sum(part.count for part in parts)
        self._scale_gradients(1 / count if recipe.accumulate > 1 else 1.0)
        self.group.add_gradients(self.trained.changed)
        self._clip(state, parts[-1].loss)
        self._optimiser.step()
        state.step += 1
        self.trained.average(recipe.kept(since + 1))
        state.batch = end
        mean = math.fsum(part.loss * (part.count / count) for part in parts)
        pairs = tuple(part.pair for part in parts if part.pair is not None)
        return Event("step", self, state, mean, pairs)

    def _set_rates(self, factor: float) -> None:
        """Set what a schedule makes of the rates; without one they are the caller's."""
        if self.recipe.scheduled:
            pairs = zip(self._optimiser.param_groups, self._rates, strict=True)
            for group, rate in pairs:
                group["lr"] = rate * factor

    def _scale_gradients(self, factor: float) -> None:
        if factor != 1:
            for weight in self.trained.changed:
                if weight.grad is not None:
                    weight.grad.mul_(factor)

    def _clip(self, state: State, loss: float) -> None:
        """Shorten the gradient to the recipe's length."""
        changed = self.trained.changed
        grads = [weight.grad for weight in changed if weight.grad is not None]
        norm = nn.utils.get_total_norm(grads)
        if not torch.isfinite(norm):
            found = f"loss {loss:g}, gradient norm {norm.item():g}"
            raise self._diverged(state, found, in_gradients(self.trained.named()))
        nn.utils.clip_grads_with_norm_(changed, self.recipe.clip, norm)

    def _batch(self, state: State, whole: Batch, place: int) -> Part:
        """Add the gradients of one batch; of several, each by how much it counts."""
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
            counts = whole.count if self.recipe.accumulate > 1 else 1
            (mine * (weight * counts)).backward()
        state.loss_sum += loss * whole.count
        state.count += whole.count
        pair = None
        if self._pairs_are_read:
            said = self._joined(prediction.detach(), batch, whole, weight)
            pair = said, whole.y
        return Part(loss, whole.count, pair)

    @property
    def _pairs_are_read(self) -> bool:
        return any(getattr(c, "reads_pairs", True) for c in self.callbacks)

    def _joined(
        self, said: Tensor, batch: Batch, whole: Batch, weight: float
    ) -> Tensor:
        """Return what was said to the rows of all processes.

        Raises:
            SettingsError: There are several, and what was said has no axis of rows.
        """
        axis = whole.target_axis
        if self.group.size == 1:
            return said
        if said.dim() <= axis or said.shape[axis] != batch.rows:
            raise SettingsError(
                "callbacks read event.pairs, which joins the predictions of several "
                f"processes by their rows; found {list(said.shape)} for {batch.rows} "
                "rows\n  fix: give the callback reads_pairs = False"
            )
        return self.group.joined(said if weight else said.narrow(axis, 0, 0), axis)

    def _located(
        self, batch: Batch, randomness: Tensor, states: dict[str, Tensor]
    ) -> str:
        """Run a batch whose loss is not finite once more, and watch."""
        torch.set_rng_state(randomness)
        self.walk.states = states
        with torch.no_grad():
            place = where_it_began(
                self.model, lambda: self.walk.predict(self.model, batch), batch.x
            )
        wrong = int((~torch.isfinite(batch.y)).sum())
        if place == FINITE and wrong:
            numbers = batch.y.numel()
            return f"the target, {wrong} of whose {numbers} numbers are not finite"
        return place

    def _end_epoch(self, state: State) -> Event:
        self._require_finite_weights(state)
        number = len(state.curve) + 1
        middle, kept = None, self.trained.kept
        if self.measure is not None:
            kept.eval()
            with torch.no_grad():
                middle = self.group.led(self.measure(kept))
            if not math.isfinite(middle):
                found = f"middle block error {middle:g}"
                raise self._diverged(state, found, when="at the end")
        row = Epoch(number, state.loss_sum / state.count, middle)
        former = state.best_epoch
        state.curve.append(row)
        if former is None or row.decides < former.decides:
            state.best = self.trained.copied()
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
        self._require_finite_weights(state)
        states = {n: self.group.joined(v, 1) for n, v in self.walk.states.items()}
        if self.group.leads:
            save(self.checkpoints, state, self._kept(), states)
        self.group.wait()

    def _kept(self) -> Kept:
        own = self._optimiser, self._rates, self._keeping
        return Kept(self.trained, *own, self._told)

    def _require_finite_weights(self, state: State) -> None:
        """Let no weight be kept that is none: an optimiser can make one by itself."""
        where = in_weights(self.trained.named())
        if where:
            name = type(self._optimiser).__name__
            found = f"weights that {name} changed"
            raise self._diverged(state, found, where, f"in step {state.step}")

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
