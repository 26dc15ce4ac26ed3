"""Show a run's progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .loop import Event

LINES = 5
"""Without a terminal, about so many lines report on a whole run."""


@dataclass
class Reporter:
    """A callback that tells people; ``bar`` is there on a terminal only."""

    console: Console
    resume: bool = False
    bar: Progress | None = None
    task: TaskID | None = None
    reads_pairs: ClassVar[bool] = False

    def __call__(self, event: Event) -> None:
        """Report where it begins, a step or an epoch."""
        if event.kind == "begin":
            self._begin(event)
        elif event.kind == "step":
            self._step(event)
        elif event.kind == "epoch" and self.bar is None:
            self._epoch(event)

    def _begin(self, event: Event) -> None:
        state = event.state
        if state.step:
            epoch = len(state.curve) + bool(state.batch)
            place = f"goes on after step {state.step:,}, in epoch {max(1, epoch)}"
        elif self.resume:
            place = "there is no checkpoint to go on from: the training begins"
        else:
            return
        self.console.print(place, highlight=False)

    def _step(self, event: Event) -> None:
        if self.bar is None:
            return
        if self.task is None:
            self.task = self.bar.add_task("training", total=None, text="")
        state = event.state
        steps = event.loop.steps + state.begun * event.loop.epoch_steps
        best = state.best_epoch
        known = None if best is None else best.middle_loss
        middle = "" if known is None else f"  middle block {known:.4f}"
        text = f"loss {event.loss:.4f}{middle}"
        self.bar.update(self.task, total=steps, completed=state.step, text=text)

    def _epoch(self, event: Event) -> None:
        row, epochs = event.state.curve[-1], event.loop.recipe.epochs
        if (row.number - event.state.begun) % max(1, epochs // LINES):
            return
        again = f" of start {event.state.restart + 1}" if event.state.restart else ""
        middle = (
            "" if row.middle_loss is None else (f", middle block {row.middle_loss:.4f}")
        )
        mark = "  best so far" if row == event.state.best_epoch else ""
        self.console.print(
            f"epoch {row.number - event.state.begun}/{epochs}{again}: "
            f"loss {row.training_loss:.4f}{middle}{mark}",
            highlight=False,
        )


@contextmanager
def reporting(*, shown: bool = True, resume: bool = False) -> Iterator[Reporter]:
    """Give a callback that shows progress on standard error while the block runs.

    Args:
        shown: False for silence.
        resume: Whether somebody asked to go on with a run.
    """
    console = Console(stderr=True, quiet=not shown)
    if not shown or not console.is_terminal:
        yield Reporter(console, resume)
        return
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield Reporter(console, resume, bar)
