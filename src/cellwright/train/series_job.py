"""The job of a forecaster: learn a series, measured beside the simplest forecasters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cellwright.tasks import (
    Baseline,
    Scale,
    Score,
    Series,
    all_baselines,
    score,
    targets,
)

from .errors import DivergedError, RunError
from .files import require_keys
from .job import Job, Pictures
from .loop import Loop
from .model import Forecaster, Scaled
from .plots import curve_picture, forecast_picture
from .settings import Settings
from .state import Epoch, best_of
from .windows import Windows, blocks, forecast, middle_error


@dataclass(frozen=True)
class Comparison:
    """The model and its baselines on exactly the same test windows.

    Attributes:
        starts: First target rows of the windows, ``[B]``.
        truth: The targets in training-std units, ``[B, horizon]``.
        forecasts: The model's first, then the baselines'.
        scores: In the same order.
    """

    starts: np.ndarray
    truth: np.ndarray
    forecasts: tuple[Baseline, ...]
    scores: tuple[Score, ...]


class SeriesJob(Job[Settings, Comparison]):
    """Forecast a series.

    Args:
        settings: What can be chosen.
        series: The data.
        scale: Of the training block.
    """

    KIND = "series"
    SETTINGS = Settings
    CONFIG_KEYS = (
        "data.name",
        "data.file",
        "data.sha256",
        "data.columns",
        "scale.mean",
        "scale.std",
    )
    METRICS_KEYS = ("test_windows", "winner", "middle_mse", "model", "baselines")
    PICTURES = ("curves.png", "forecast.png")

    def __init__(self, settings: Settings, series: Series, scale: Scale):
        super().__init__(settings)
        self.series = series
        self.scale = scale

    @property
    def name(self) -> str:
        """The series' name."""
        return self.series.name

    def facts(self) -> dict[str, Any]:
        """Return where the data came from, how it is split and scaled."""
        series, split = self.series, self.settings.plan.split(len(self.series))
        return {
            "data": {
                "name": series.name,
                "file": str(Path(series.file).resolve()) if series.file else "",
                "sha256": series.sha256,
                "rows": len(series),
                "columns": list(series.columns),
                "training_rows": split.train.stop,
                "middle_rows": split.middle.stop - split.middle.start,
                "test_rows": split.test.stop - split.test.start,
            },
            "scale": {
                "mean": self.scale.mean.tolist(),
                "std": self.scale.std.tolist(),
            },
        }

    def require_same(self, config: Mapping[str, Any], where: str) -> None:
        """Refuse to go on with other settings or on other data."""
        super().require_same(config, where)
        data, series = config["data"], self.series
        if [data["sha256"], data["columns"]] != [series.sha256, list(series.columns)]:
            raise RunError(
                f"{Path(where).parent}: the run began with other data\n"
                f"  there: {', '.join(data['columns'])} of {data['file']}, "
                f"sha256 {data['sha256'][:12]}…\n"
                f"  here:  {', '.join(series.columns)} of {series.file}, "
                f"sha256 {series.sha256[:12]}…\n"
                "  fix:   give the same file and columns, or choose another folder"
            )

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Forecaster:
        """Make the forecaster of a config, with weights not yet trained."""
        settings = Settings.from_json(config["settings"])
        return Forecaster(
            settings.cell,
            config["data"]["columns"],
            settings.history,
            settings.horizon,
            hidden_size=settings.hidden_size,
            num_layers=settings.num_layers,
            change=settings.change,
            dropout=settings.dropout,
            cell_options=settings.cell_options,
            mean=config["scale"]["mean"],
            std=config["scale"]["std"],
        )

    def rehearse(self) -> None:
        """Forecast one batch with first weights."""
        settings = self.settings
        train, _ = self._blocks()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(settings.seed)
            config = {"settings": settings.to_json(), **self.facts()}
            model = self.build(config).eval()
            said = model.scaled(train.cut(slice(0, settings.batch_size))[0])
        if not torch.isfinite(said).all():
            raise DivergedError(
                f"{settings.model_name}: forecasts of the first weights are not finite"
                "\n  fix: change the cell's equations, its constants or its options"
            )

    def _blocks(self) -> tuple[Windows, Windows]:
        plan, scaled = self.settings.plan, self.scale.apply(self.series.values)
        split = plan.split(len(self.series))
        return blocks(scaled, split, plan, self.settings.batch_size)

    def loop(self, model: nn.Module, **options: Any) -> Loop:
        """Train on the training block; the middle block decides."""
        assert isinstance(model, Forecaster)
        train, middle = self._blocks()
        return forecaster_loop(model, train, middle, self.settings, **options)

    def examine(self, model: nn.Module) -> Comparison:
        """Forecast every test window with the model and with each baseline."""
        assert isinstance(model, Forecaster)
        settings, scale, plan = self.settings, self.scale, self.settings.plan
        split = plan.split(len(self.series))
        scaled = scale.apply(self.series.values)
        starts = plan.starts(split.test)
        own = forecast(model, Windows.of(scaled, starts, plan))
        entries = (
            Baseline(settings.model_name, plan.history, own),
            *all_baselines(scaled, split, plan, settings.season),
        )
        truth = targets(scaled, starts, plan.horizon)
        std = float(scale.std[0])
        scores = tuple(
            score(entry.name, entry.forecast, truth, std, entry.lags)
            for entry in entries
        )
        return Comparison(starts, truth, entries, scores)

    def metrics(self, found: Comparison, curve: Sequence[Epoch]) -> dict[str, Any]:
        """Return the scores on the test block."""
        own, *others = found.scores
        return {
            "units": {
                "mse": "squared training-std units",
                "rmse": "units of the target",
                "mae": "units of the target",
                "training_std": float(self.scale.std[0]),
            },
            "test_windows": len(found.starts),
            "model": own.to_json(),
            "baselines": [entry.to_json() for entry in others],
            "winner": min(found.scores, key=lambda entry: entry.mse).name,
            "middle_mse": best_of(curve).middle_loss,
        }

    @classmethod
    def check_metrics(cls, place: Path, metrics: Mapping[str, Any]) -> None:
        """Refuse scores that lack something, see `Job`."""
        super().check_metrics(place, metrics)
        rows = ["model", *(f"baselines.{i}" for i in range(len(metrics["baselines"])))]
        names = [entry.name for entry in fields(Score)]
        require_keys(place, metrics, [f"{row}.{n}" for row in rows for n in names])

    def pictures(self, found: Comparison, curve: Sequence[Epoch]) -> Pictures:
        """Return what draws the curves and the forecasts."""
        return {
            "curves.png": lambda: curve_picture(curve, self.settings),
            "forecast.png": lambda: forecast_picture(
                self.series, self.scale, found.starts, found.forecasts, found.scores
            ),
        }


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
