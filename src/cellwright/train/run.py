"""Carry out a job in a result folder; open what was left behind."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cellwright.tasks import Score

from .boards import TensorBoard
from .checkpoint import Checkpoints
from .files import read_json, require_keys
from .folder import Folder, begin, check_place, load, read_config, read_metrics
from .job import Job
from .lock import locked
from .loop import Callback
from .model import Forecaster
from .parallel import Group, joined_by_torchrun
from .progress import Reporter, reporting
from .results import draw_again, write_results
from .stopping import stop_between_steps

CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where everything lies.
        config: What decided it, as in ``config.json``.
        metrics: What came out, as in ``metrics.json``.
        seconds: How long the training took, over all resumptions; None where its
            file is lost.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    seconds: float | None

    def model(self) -> nn.Module:
        """Load the trained model."""
        return load(self.folder)


@dataclass(frozen=True)
class SeriesRun(Run):
    """A finished run on a series."""

    def model(self) -> Forecaster:
        """Load the trained forecaster."""
        model = load(self.folder)
        assert isinstance(model, Forecaster)
        return model

    @property
    def scores(self) -> tuple[Score, ...]:
        """The model's score first, then those of the baselines."""
        rows = [self.metrics["model"], *self.metrics["baselines"]]
        return tuple(
            Score(**{**row, "mse_by_step": tuple(row["mse_by_step"])}) for row in rows
        )


def open_run(folder: str | Path) -> Run:
    """Open a finished run.

    Raises:
        RunError: The folder is no run, or it is not finished.
    """
    place = Folder(Path(folder))
    config = read_config(place)
    metrics = read_metrics(place)
    seconds = None
    if place.timing.exists():
        timing = read_json(place.timing)
        require_keys(place.timing, timing, ["training_seconds"])
        seconds = timing["training_seconds"]
    kind = SeriesRun if config["job"] == "series" else Run
    return kind(place.path, config, metrics, seconds)


def carry_out(
    job: Job[Any, Any],
    out: str | Path | None,
    *,
    resume: bool,
    progress: bool,
    checkpoint_seconds: float,
    tensorboard: bool,
) -> Run:
    """Train what a job says, examine the result once, and write it.

    Under ``torchrun`` every process calls this, and the leading one writes.

    Args:
        job: What is trained.
        out: The result folder; the job's name below ``runs/`` if None.
        resume: Go on with the run that is there.
        progress: Report on standard error.
        checkpoint_seconds: How often the run is made safe.
        tensorboard: Write for TensorBoard, too.
    """
    folder = Folder(Path("runs") / job.name if out is None else Path(out))
    group = joined_by_torchrun()
    board = TensorBoard(folder.events) if tensorboard else None
    with ExitStack() as stack:
        # One process looks at the disk and writes; the others need see none of it.
        place = group.told(lambda: _begin(folder, job, resume, stack))
        if place is _Place.training:
            shown = reporting(shown=progress and group.leads, resume=resume)
            _train(folder, job, group, shown, checkpoint_seconds, board)
        elif place is _Place.pictures and group.leads:
            draw_again(folder, job, load(folder.path))
        return group.told(lambda: open_run(folder.path))


class _Place(Enum):
    """Where a run stands that a command finds."""

    training = "not trained to its end"
    pictures = "all but pictures"
    complete = "complete"


def _begin(
    folder: Folder, job: Job[Any, Any], resume: bool, stack: ExitStack
) -> _Place:
    """Say where a run stands; hold its folder, until a stack unwinds, to go on."""
    check_place(folder, job, resume=resume)
    if folder.complete(job):
        return _Place.complete
    if not folder.metrics.exists():
        job.rehearse()
    stack.enter_context(locked(folder.path))
    begin(folder, job, resume=resume)
    return _Place.pictures if folder.metrics.exists() else _Place.training


def _train(
    folder: Folder,
    job: Job[Any, Any],
    group: Group,
    shown: AbstractContextManager[Reporter],
    checkpoint_seconds: float,
    board: TensorBoard | None,
) -> None:
    # The caller's random numbers are left as they were; inside, the seed alone counts.
    with torch.random.fork_rng(devices=[]), ExitStack() as stack:
        callbacks: list[Callback] = [stack.enter_context(shown)]
        if board is not None:
            callbacks.append(stack.enter_context(closing(board)))
        torch.manual_seed(job.settings.seed)
        model = job.build(group.told(lambda: read_config(folder)))
        with stop_between_steps() as should_stop:
            loop = job.loop(
                model,
                checkpoints=Checkpoints(folder.checkpoints),
                checkpoint_seconds=checkpoint_seconds,
                should_stop=should_stop,
                callbacks=callbacks,
                group=group,
            )
            state = loop.begin()
            loop.run(state)
        if group.leads:
            write_results(folder, job, model, state)
