"""Carry out a job in a result folder; open what was left behind."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
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
    with joined_by_torchrun() as group:
        check_place(folder, job, resume=resume)
        if folder.complete(job):
            return open_run(folder.path)
        if not folder.metrics.exists():
            job.rehearse()
        board = TensorBoard(folder.events) if tensorboard and group.leads else None
        group.wait()  # Nobody writes before all have looked.
        with locked(folder.path) if group.leads else nullcontext():
            if group.leads:
                begin(folder, job, resume=resume)
            group.wait()
            if not folder.metrics.exists():
                shown = reporting(shown=progress and group.leads, resume=resume)
                _train(folder, job, group, shown, checkpoint_seconds, board)
            elif group.leads:
                draw_again(folder, job, load(folder.path))
        group.wait()
    return open_run(folder.path)


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
        should_stop = stack.enter_context(stop_between_steps())
        callbacks: list[Callback] = [stack.enter_context(shown)]
        if board is not None:
            callbacks.append(stack.enter_context(closing(board)))
        torch.manual_seed(job.settings.seed)
        model = job.build(read_config(folder))
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
