"""Show a run's progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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

LINES = 5
"""Without a terminal, about so many lines report on a whole run."""


@dataclass
class Reporter:
    """What the loop tells; ``bar`` is there on a terminal only."""

    console: Console
    epochs: int
    bar: Progress | None = None
    task: TaskID | None = None

    def step(self, done: int, loss: float, middle: float | None) -> None:
        """Report one finished step, counted over the whole run."""
        if self.bar is not None and self.task is not None:
            best = "" if middle is None else f"  middle block {middle:.4f}"
            self.bar.update(self.task, completed=done, text=f"loss {loss:.4f}{best}")

    def epoch(self, number: int, loss: float, middle: float, best: bool) -> None:
        """Report one finished epoch, counted from 1."""
        if self.bar is not None or number % max(1, self.epochs // LINES):
            return
        mark = "  best so far" if best else ""
        self.console.print(
            f"epoch {number}/{self.epochs}: loss {loss:.4f}, "
            f"middle block {middle:.4f}{mark}",
            highlight=False,
        )


@contextmanager
def reporting(
    epochs: int, steps: int, done: int, *, shown: bool = True
) -> Iterator[Reporter]:
    """Show progress on standard error while the block runs.

    Args:
        epochs: Epochs of the whole run.
        steps: Steps of the whole run.
        done: Steps that a checkpoint brought.
        shown: False for silence.
    """
    console = Console(stderr=True, quiet=not shown)
    if not shown or not console.is_terminal:
        yield Reporter(console, epochs)
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
        task = bar.add_task("training", total=steps, completed=done, text="")
        yield Reporter(console, epochs, bar, task)
