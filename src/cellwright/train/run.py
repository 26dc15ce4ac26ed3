"""Train a forecaster on a series by one call; open what such a call left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cellwright.tasks import (
    Scale,
    Score,
    Series,
    check_season,
    check_series,
    read_series,
)
from cellwright.tasks import sunspots as sunspot_series

from .checkpoint import Checkpoints
from .errors import DivergedError
from .files import read_json, require_keys, sha256
from .folder import (
    Folder,
    begin,
    build,
    check_place,
    load,
    new_config,
    read_config,
    read_metrics,
)
from .lock import locked
from .loop import Loop
from .model import Forecaster, Scaled
from .progress import reporting
from .results import draw_again, write_results
from .settings import Settings
from .stopping import stop_between_steps
from .windows import Windows, blocks, middle_error

CHECKPOINT_SECONDS = 10.0

SUNSPOTS = {"change": False}
"""What the sunspot job sets otherwise than `Settings` does: the numbers keep their
level, and studies/sunspots_folds.py chose so. A series that rises needs the change."""


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

    @property
    def scores(self) -> tuple[Score, ...]:
        """The model's score first, then those of the baselines."""
        rows = [self.metrics["model"], *self.metrics["baselines"]]
        return tuple(
            Score(**{**row, "mse_by_step": tuple(row["mse_by_step"])}) for row in rows
        )

    def model(self) -> Forecaster:
        """Load the trained forecaster."""
        return load(self.folder)


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
    return Run(place.path, config, metrics, seconds)


def series(
    data: str | Path | Series,
    column: str | None = None,
    inputs: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    **settings: Any,
) -> Run:
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
        InterruptedRunError: Ctrl-C; the run can be resumed.
    """
    chosen = Settings.of(settings)
    if isinstance(data, Series):
        data = _checked(data, chosen)
    else:
        data = read_series(data, column, inputs, plan=chosen.plan)
    folder = Folder(Path("runs") / data.name if out is None else Path(out))
    split = chosen.plan.split(len(data))
    if chosen.season is not None:
        check_season(chosen.season, split)
    scale = Scale.of(data, split.train)
    check_place(folder, chosen, data, resume=resume)
    if all(path.exists() for path in (folder.metrics, *folder.pictures)):
        return open_run(folder.path)
    if not folder.metrics.exists():
        _rehearse(chosen, data, scale)
    with locked(folder.path):
        begin(folder, chosen, data, scale, resume=resume)
        if folder.metrics.exists():
            draw_again(folder, load(folder.path), data, scale, chosen)
        else:
            _train(folder, chosen, data, scale, progress, checkpoint_seconds)
    return open_run(folder.path)


def sunspots(**options: Any) -> Run:
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


def _rehearse(settings: Settings, data: Series, scale: Scale) -> None:
    """Forecast one batch with first weights: what cannot work fails before a file."""
    split = settings.plan.split(len(data))
    train, _ = blocks(scale.apply(data.values), split, settings.plan)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(settings.seed)
        model = build(new_config(settings, data, scale)).eval()
        forecast = model.scaled(train.cut(slice(0, settings.batch_size))[0])
    if not torch.isfinite(forecast).all():
        raise DivergedError(
            f"{settings.model_name}: forecasts of the first weights are not finite\n"
            "  fix: change the cell's equations, its constants or its options"
        )


def _train(
    folder: Folder,
    settings: Settings,
    data: Series,
    scale: Scale,
    progress: bool,
    checkpoint_seconds: float,
) -> None:
    split = settings.plan.split(len(data))
    scaled = scale.apply(data.values)
    train, middle = blocks(scaled, split, settings.plan, settings.batch_size)
    # The caller's random numbers are left as they were; inside, the seed alone counts.
    with torch.random.fork_rng(devices=[]), stop_between_steps() as should_stop:
        torch.manual_seed(settings.seed)
        model = build(read_config(folder))
        with reporting(shown=progress) as told:
            loop = forecaster_loop(
                model,
                train,
                middle,
                settings,
                checkpoints=Checkpoints(folder.checkpoints),
                checkpoint_seconds=checkpoint_seconds,
                should_stop=should_stop,
                callbacks=[told],
            )
            state = loop.begin()
            loop.run(state)
        write_results(folder, model, state, data, scale, settings)


def forecaster_loop(
    model: Forecaster,
    train: Windows,
    middle: Windows,
    settings: Settings,
    **options: Any,
) -> Loop:
    """Return the loop that trains a forecaster.

    Args:
        model: Has its first weights.
        train: Windows of the training block.
        middle: Windows of the middle block.
        settings: What decides the bits.
        **options: Further attributes of the loop.
    """

    def measure(averaged: nn.Module) -> float:
        assert isinstance(averaged, Scaled)
        return middle_error(averaged.forecaster, middle)

    return Loop(Scaled(model), train, settings, measure=measure, **options)
