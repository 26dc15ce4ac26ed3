"""Measure a trained forecaster once on the test block and write the result folder."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellwright.tasks import (
    Baseline,
    Scale,
    Score,
    Series,
    all_baselines,
    score,
    targets,
)

from .errors import PictureWarning, RunError
from .files import write_bytes, write_json, write_text
from .folder import Folder, save_model
from .model import Forecaster
from .plots import curve_picture, forecast_picture
from .settings import Settings
from .state import Epoch, State
from .windows import Windows, forecast


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


def compare(
    model: Forecaster, series: Series, scale: Scale, settings: Settings
) -> Comparison:
    """Forecast every test window with the model and with each baseline."""
    plan = settings.plan
    split = plan.split(len(series))
    scaled = scale.apply(series.values)
    starts = plan.starts(split.test)
    own = forecast(model, Windows.of(scaled, starts, plan))
    entries = (
        Baseline(settings.model_name, plan.history, own),
        *all_baselines(scaled, split, plan, settings.season),
    )
    truth = targets(scaled, starts, plan.horizon)
    std = float(scale.std[0])
    scores = tuple(
        score(entry.name, entry.forecast, truth, std, entry.lags) for entry in entries
    )
    return Comparison(starts, truth, entries, scores)


def write_results(
    folder: Folder,
    model: Forecaster,
    state: State,
    series: Series,
    scale: Scale,
    settings: Settings,
) -> None:
    """Write weights, curves, metrics and then, from all that, the pictures."""
    compared = compare(model, series, scale, settings)
    digest = save_model(folder, model)
    write_text(folder.curves, curve_text(state.curve))
    write_json(folder.timing, {"training_seconds": state.seconds})
    write_json(folder.metrics, _metrics(compared, state, scale, digest))
    _draw(folder, state.curve, compared, series, scale, settings)


def draw_again(
    folder: Folder, model: Forecaster, series: Series, scale: Scale, settings: Settings
) -> None:
    """Draw the pictures of a finished run from what it wrote."""
    curve = read_curve(folder.curves)
    compared = compare(model, series, scale, settings)
    _draw(folder, curve, compared, series, scale, settings)


def _draw(
    folder: Folder,
    curve: Sequence[Epoch],
    compared: Comparison,
    series: Series,
    scale: Scale,
    settings: Settings,
) -> None:
    def forecasts() -> bytes:
        return forecast_picture(
            series, scale, compared.starts, compared.forecasts, compared.scores
        )

    makers = (lambda: curve_picture(curve, settings), forecasts)
    for path, make in zip(folder.pictures, makers, strict=True):
        try:
            picture = make()
        except Exception as error:  # noqa: BLE001  # whatever it is, the result stands
            warnings.warn(
                f"{path}: could not be drawn ({type(error).__name__}: {error}); "
                "everything else of the run is there\n"
                "  fix: resume=True (--resume) tries again",
                PictureWarning,
                stacklevel=2,
            )
            continue
        write_bytes(path, picture)


def curve_text(curve: Sequence[Epoch]) -> str:
    """Return the curves as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "training_mse", "middle_mse"])
    writer.writerows([row.number, row.training_loss, row.middle_loss] for row in curve)
    return text.getvalue()


def read_curve(path: Path) -> list[Epoch]:
    """Read the curves back.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                Epoch(
                    int(row["epoch"]),
                    float(row["training_mse"]),
                    float(row["middle_mse"]),
                )
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: damaged; it holds no curves") from error
    if not rows:
        raise RunError(f"{path}: damaged; it holds no epoch")
    return rows


def _metrics(
    compared: Comparison, state: State, scale: Scale, digest: str
) -> dict[str, Any]:
    best = state.best_epoch
    own, *others = compared.scores
    return {
        "units": {
            "mse": "squared training-std units",
            "rmse": "units of the target",
            "mae": "units of the target",
            "training_std": float(scale.std[0]),
        },
        "test_windows": len(compared.starts),
        "model": own.to_json(),
        "baselines": [entry.to_json() for entry in others],
        "winner": min(compared.scores, key=lambda entry: entry.mse).name,
        "epochs": len(state.curve),
        "best_epoch": None if best is None else best.number,
        "middle_mse": None if best is None else best.middle_loss,
        "model_sha256": digest,
    }
