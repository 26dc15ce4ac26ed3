"""Train by one call: a forecaster for a series, or a network on a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellwright.tasks import (
    Scale,
    Series,
    check_season,
    check_series,
    read_series,
)
from cellwright.tasks import sunspots as sunspot_series

from .errors import RunError, SettingsError
from .files import sha256, write_bytes
from .folder import Folder
from .parallel import joined_by_torchrun
from .results import read_curve
from .run import CHECKPOINT_SECONDS, Run, SeriesRun, carry_out
from .series_job import SeriesJob
from .settings import AddingSettings, PeriodicSettings, Settings
from .task_job import AddingJob, PeriodicJob, symbols_of_epoch
from .task_plots import learning_picture

SIZES = "sizes.png"
"""The picture of what networks of several sizes learned, beside their folders."""

UNITS = (1, 2, 3, 50)
"""Sizes of the networks that `periodic` trains."""

SUNSPOTS = {"change": False}
"""What the sunspot job sets otherwise than `Settings` does: the numbers keep their
level, and studies/sunspots_folds.py chose so. A series that rises needs the change."""


def series(
    data: str | Path | Series,
    column: str | None = None,
    inputs: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tensorboard: bool = False,
    **settings: Any,
) -> SeriesRun:
    """Train a forecaster on a series and measure it beside the baselines.

    The first 70 % of the rows are trained on, the next 10 % decide (the best epoch,
    the baselines' lag and season), and the last 20 % are measured once, at the end.

    Args:
        data: A CSV file (see `cellwright.tasks.read_series`) or a Series.
        column: The file's column to forecast; may be left out if only one is numeric.
        inputs: Columns that the forecaster sees beside the target's own history.
        out: The result folder; ``runs/<name of the series>`` if None.
        resume: Go on with the run in ``out``, to the same bits as without the
            interruption. A finished run is only opened; where nothing is, it begins.
        progress: Report on standard error.
        checkpoint_seconds: How often the run is made safe.
        tensorboard: Write losses and learning rate for TensorBoard, in its folder.
        **settings: The attributes of `Settings`: ``history=20``, ``horizon=20``,
            ``cell="lstm"``, ``hidden_size=300``, ``epochs=...``, ``seed=0``, ...

    Returns:
        The finished run.

    Raises:
        DataError: The file breaks rules; all its faults are named.
        TaskError: The season is longer than the training block.
        SettingsError: A setting cannot be used or is not that of the resumed run.
        OptionError: The cell cannot be built with these options.
        RunError: The folder is in use, or cannot be written.
        DivergedError: The loss, or a forecast before the first step, is not finite.
        InterruptedRunError: Ctrl-C or SIGTERM; the run can be resumed.
    """
    chosen = Settings.of(settings)
    if isinstance(data, Series):
        data = _checked(data, chosen)
    else:
        data = read_series(data, column, inputs, plan=chosen.plan)
    split = chosen.plan.split(len(data))
    if chosen.season is not None:
        check_season(chosen.season, split)
    job = SeriesJob(chosen, data, Scale.of(data, split.train))
    run = carry_out(
        job,
        out,
        resume=resume,
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
    )
    assert isinstance(run, SeriesRun)
    return run


def sunspots(**options: Any) -> SeriesRun:
    """Train on the shipped monthly sunspot numbers; see `series` for the options.

    ``change`` is False unless it is given: sunspot numbers keep their level.
    """
    options = {**SUNSPOTS, **options}
    plan = Settings.of(
        {key: options[key] for key in ("history", "horizon") if key in options}
    ).plan
    return series(sunspot_series(plan), **options)


def _checked(data: Series, settings: Settings) -> Series:
    check_series(data, settings.plan)
    digest = data.sha256 or sha256(np.ascontiguousarray(data.values).tobytes())
    return replace(data, sha256=digest)


def adding(
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tensorboard: bool = False,
    **settings: Any,
) -> Run:
    """Train a network to add two marked numbers of a long sequence.

    It ends when the rule of 1997 is met (`cellwright.tasks.PassRule`), or after the
    last epoch, which is 100 batches of sequences that never come again. Then 2,560
    fresh sequences are asked.

    Args:
        out: The result folder; ``runs/adding-<variant>`` if None.
        resume: Go on with the run in ``out``, see `series`.
        progress: Report on standard error.
        checkpoint_seconds: How often the run is made safe.
        tensorboard: Write losses and learning rate for TensorBoard, in its folder.
        **settings: The attributes of `AddingSettings`: ``variant="mean"``,
            ``steps=100``, ``cell="lstm"``, ``hidden_size=32``, ``seed=0``, ...

    Raises:
        TaskError: There is no such task.
        SettingsError: A setting cannot be used or is not that of the resumed run.
        OptionError: The cell cannot be built with these options.
        RunError: The folder is in use, or cannot be written.
        DivergedError: The loss is not finite.
        InterruptedRunError: Ctrl-C or SIGTERM; the run can be resumed.

    Source:
        Hochreiter & Schmidhuber, 1997, "Long short-term memory", experiment 4.

    Example:
        >>> import tempfile, cellwright as cw
        >>> tiny = {"steps": 12, "hidden_size": 4, "epochs": 1, "progress": False}
        >>> run = cw.train.adding(out=tempfile.mkdtemp(), **tiny)
        >>> run.metrics["passed"], run.metrics["seen"]
        (False, 6400)
    """
    job = AddingJob(AddingSettings.of(settings))
    return carry_out(
        job,
        out,
        resume=resume,
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
    )


def periodic(
    units: Sequence[int] = UNITS,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tensorboard: bool = False,
    **settings: Any,
) -> tuple[Run, ...]:
    """Train networks of several sizes to say the next symbol of 1 0 0 0 1 0 0 0 ...

    Each ends when 10,000 symbols in a row were right, or after the last epoch, which is
    10 batches. Then fresh sequences are asked, and the network goes on by itself for
    1,000 steps, hearing what it says.

    Args:
        units: Of the networks, one number each.
        out: The result folder, ``runs/periodic`` if None; each network has a folder
            below it, named by its units.
        resume: Go on with the runs in ``out``, see `series`.
        progress: Report on standard error.
        checkpoint_seconds: How often a run is made safe.
        tensorboard: Write losses and learning rate for TensorBoard, in each folder.
        **settings: The attributes of `PeriodicSettings` but ``hidden_size``:
            ``period=4``, ``cell="lstm"``, ``seed=0``, ...

    Raises:
        TaskError: There is no such task.
        SettingsError: A setting cannot be used or is not that of the resumed run.
        OptionError: The cell cannot be built with these options.
        RunError: The folder is in use, or cannot be written.
        DivergedError: The loss is not finite.
        InterruptedRunError: Ctrl-C or SIGTERM; the run can be resumed.

    Example:
        >>> import tempfile, cellwright as cw
        >>> out = tempfile.mkdtemp()
        >>> two, three = cw.train.periodic([2, 3], out=out, progress=False)
        >>> two.metrics["passed"], three.metrics["alone"]
        (True, {'steps': 1000, 'right': 1000})
    """
    if not units or len(set(units)) < len(units) or "hidden_size" in settings:
        raise SettingsError(
            "periodic: units= says how many units each network has, each number once; "
            f"found units={list(units)}"
            + (" and hidden_size=" if "hidden_size" in settings else "")
        )
    chosen = [PeriodicSettings.of({**settings, "hidden_size": n}) for n in units]
    place = Path("runs/periodic") if out is None else Path(out)
    group = joined_by_torchrun()
    group.told(partial(_require_no_run, place))
    runs = tuple(
        carry_out(
            PeriodicJob(one),
            place / str(one.hidden_size),
            resume=resume,
            progress=progress,
            checkpoint_seconds=checkpoint_seconds,
            tensorboard=tensorboard,
        )
        for one in chosen
    )
    if group.leads:
        curves = {
            one.model_name: read_curve(Folder(run.folder).curves)
            for one, run in zip(chosen, runs, strict=True)
        }
        task = chosen[0].task
        picture = learning_picture(
            curves, symbols_of_epoch(chosen[0]), float(task.memoryless), "symbols"
        )
        write_bytes(place / SIZES, picture)
    return runs


def _require_no_run(place: Path) -> None:
    if Folder(place).config.exists():
        raise RunError(
            f"{place}: holds a run; networks of several sizes have folders of their own"
            "\n  fix: choose another folder with out= (--out)"
        )
