"""The training loop: plain steps over windows, each epoch measured on the middle block.

It sees the training and the middle block only; the test block never comes here.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cellwright.tasks import Plan, Split, targets

from .checkpoint import Checkpoints
from .errors import DivergedError, InterruptedRunError
from .model import Forecaster
from .progress import Reporter
from .settings import Settings
from .state import Epoch, State, restore, save

WINDOWS_AT_ONCE = 1024
"""Windows of one forward pass without gradients."""


@dataclass(frozen=True)
class Windows:
    """Windows of one block, cut only when they are needed.

    Attributes:
        scaled: The series in training-std units, ``[N, I]`` in float32.
        starts: First target rows, ``[B]``.
        plan: History and horizon.
    """

    scaled: Tensor
    starts: Tensor
    plan: Plan

    @classmethod
    def of(cls, scaled: np.ndarray, starts: np.ndarray, plan: Plan) -> Windows:
        """Take the windows that begin at ``starts``."""
        return cls(torch.tensor(scaled).float(), torch.tensor(starts), plan)

    def batch(self, chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return histories ``[B, T, I]`` and targets ``[B, horizon]``."""
        starts = self.starts[chosen, None]
        history = self.scaled[starts + torch.arange(-self.plan.history, 0)]
        return history, self.scaled[starts + torch.arange(self.plan.horizon), 0]


@torch.no_grad()
def forecast(model: Forecaster, windows: Windows) -> np.ndarray:
    """Forecast every window, ``[B, horizon]`` in training-std units and float64."""
    model.eval()
    parts = [
        model.scaled(windows.batch(slice(begin, begin + WINDOWS_AT_ONCE))[0])
        for begin in range(0, len(windows.starts), WINDOWS_AT_ONCE)
    ]
    return torch.cat(parts).double().numpy()


def middle_error(model: Forecaster, middle: Windows) -> float:
    """Return the mean squared error on the middle block."""
    truth = targets(
        middle.scaled.double().numpy(), middle.starts.numpy(), middle.plan.horizon
    )
    return float(np.mean((forecast(model, middle) - truth) ** 2))


@dataclass
class Loop:
    """One run of training. ``run`` ends with the best weights in the model.

    Attributes:
        model: Has its first weights; changed in place.
        train: Windows of the training block.
        middle: Windows of the middle block.
        settings: What decides the bits.
        checkpoints: Where the run is kept.
        checkpoint_seconds: A checkpoint is due when so much time has passed.
        should_stop: Asked after each step; True saves and stops.
    """

    model: Forecaster
    train: Windows
    middle: Windows
    settings: Settings
    checkpoints: Checkpoints
    checkpoint_seconds: float
    should_stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.averaged = copy.deepcopy(self.model)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=self.settings.learning_rate
        )
        self.batches = math.ceil(len(self.train.starts) / self.settings.batch_size)
        self.steps = self.batches * self.settings.epochs

    def restore(self) -> State:
        """Return the state of the newest checkpoint, or that of the beginning."""
        state = restore(self.checkpoints, self._parts(), self.optimiser)
        return State(order=self._draw_order()) if state is None else state

    def run(self, state: State, reporter: Reporter) -> None:
        """Train from a state to the end.

        Raises:
            DivergedError: The loss is no longer finite.
            CheckpointError: A checkpoint could not be written.
            InterruptedRunError: Somebody asked to stop; a checkpoint holds the state.
        """
        saved = clock = time.monotonic()
        while not state.finished(self.settings.epochs, self.settings.patience):
            loss = self._step(state)
            if state.batch == self.batches:
                self._end_epoch(state, reporter)
            best = state.best_epoch
            reporter.step(state.step, loss, best.middle_mse if best else None)
            now = time.monotonic()
            state.seconds, clock = state.seconds + now - clock, now
            stop = self.should_stop()
            if stop or now - saved >= self.checkpoint_seconds:
                save(self.checkpoints, state, self._parts(), self.optimiser)
                saved = time.monotonic()
            if stop:
                raise InterruptedRunError(_interrupted(state, self.checkpoints.folder))
        save(self.checkpoints, state, self._parts(), self.optimiser)
        self.model.load_state_dict(state.best)
        self.model.eval()

    def _parts(self) -> dict[str, Forecaster]:
        return {"model": self.model, "averaged": self.averaged}

    @torch.no_grad()
    def _average(self, kept: float) -> None:
        """Move the averaged weights towards the present ones."""
        pairs = zip(self.averaged.parameters(), self.model.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - kept)

    def _draw_order(self) -> Tensor:
        return torch.randperm(len(self.train.starts))

    def _step(self, state: State) -> float:
        settings = self.settings
        begin = state.batch * settings.batch_size
        chosen = state.order[begin : begin + settings.batch_size]
        history, truth = self.train.batch(chosen)
        self.model.train()
        self.optimiser.zero_grad()
        loss = nn.functional.mse_loss(self.model.scaled(history), truth)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            where = f"in step {state.batch + 1} of {self.batches}, epoch "
            raise self._diverged(
                f"{where}{len(state.curve) + 1}",
                f"loss {loss.item():g}, gradient norm {norm.item():g}",
            )
        self.optimiser.step()
        state.step += 1
        self._average(settings.kept(state.step))
        state.batch += 1
        state.loss_sum += loss.item() * len(chosen)
        return loss.item()

    def _end_epoch(self, state: State, reporter: Reporter) -> None:
        number = len(state.curve) + 1
        error = middle_error(self.averaged, self.middle)
        if not math.isfinite(error):
            raise self._diverged(
                f"at the end of epoch {number}", f"middle block error {error:g}"
            )
        mean = state.loss_sum / len(self.train.starts)
        former = state.best_epoch
        improved = former is None or error < former.middle_mse
        state.curve.append(Epoch(number, mean, error))
        if improved:
            weights = self.averaged.state_dict()
            state.best = {name: value.clone() for name, value in weights.items()}
        state.batch, state.loss_sum, state.order = 0, 0.0, self._draw_order()
        reporter.epoch(number, mean, error, improved)

    def _diverged(self, where: str, found: str) -> DivergedError:
        settings = self.settings
        former = self.checkpoints.former
        kept = "" if former is None else f"\n  left:  checkpoint {former}, from before"
        return DivergedError(
            f"training diverged {where}: errors and gradients must be finite\n"
            f"  found: {found}, at learning rate {settings.learning_rate:g}, "
            f"clip {settings.clip:g}\n"
            f"  fix:   a smaller learning_rate, such as "
            f"{settings.learning_rate / 10:g}, or a smaller clip{kept}"
        )


def _interrupted(state: State, folder: Path) -> str:
    return (
        f"interrupted in epoch {len(state.curve) + 1}, after step {state.step}; "
        f"everything is in {folder}\n"
        "  to go on: the same command with --resume (in Python: resume=True)"
    )


def blocks(scaled: np.ndarray, split: Split, plan: Plan) -> tuple[Windows, Windows]:
    """Return the windows to train on and those to choose by."""
    known = scaled[: split.middle.stop]
    return (
        Windows.of(known, plan.starts(split.train), plan),
        Windows.of(known, plan.starts(split.middle), plan),
    )
