"""Examine a trained model once and write the result folder."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from .errors import PictureWarning, RunError
from .files import write_bytes, write_json, write_text
from .folder import Folder, save_model
from .job import Job
from .state import Epoch, State, best_of


def write_results(
    folder: Folder, job: Job[Any, Any], model: nn.Module, state: State
) -> None:
    """Write weights, curves, metrics and then, from all that, the pictures."""
    found = job.examine(model)
    digest = save_model(folder, model)
    write_text(folder.curves, curve_text(state.curve))
    write_json(folder.timing, {"training_seconds": state.seconds})
    metrics = {
        **job.metrics(found, state.curve),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "epochs": len(state.curve),
        "best_epoch": best_of(state.curve).number if state.curve else None,
        "model_sha256": digest,
    }
    write_json(folder.metrics, metrics)
    _draw(folder, job, found, state.curve)


def draw_again(folder: Folder, job: Job[Any, Any], model: nn.Module) -> None:
    """Draw the pictures of a finished run from what it wrote."""
    curve = read_curve(folder.curves)
    _draw(folder, job, job.examine(model), curve)


def _draw(
    folder: Folder, job: Job[Any, Any], found: object, curve: Sequence[Epoch]
) -> None:
    for name, make in job.pictures(found, curve).items():
        try:
            picture = make()
        except Exception as error:  # noqa: BLE001  # whatever it is, the result stands
            warnings.warn(
                f"{folder.path / name}: could not be drawn ({type(error).__name__}: "
                f"{error}); everything else of the run is there\n"
                "  fix: resume=True (--resume) tries again",
                PictureWarning,
                stacklevel=2,
            )
            continue
        write_bytes(folder.path / name, picture)


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
                    float(row["middle_mse"]) if row["middle_mse"] else None,
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
