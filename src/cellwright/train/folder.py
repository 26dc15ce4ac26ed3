"""The result folder: which files it has, and how a run's config is kept in it."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from cellwright.tasks import Scale, Score, Series

from .errors import ResumeWarning, RunError
from .files import (
    read_json,
    remove_parts,
    require_keys,
    sha256,
    write_bytes,
    write_json,
)
from .lock import LOCK
from .model import Forecaster
from .settings import Settings

FORMAT = 1
CONFIG_KEYS = (
    "data.name data.file data.sha256 data.columns scale.mean scale.std software".split()  # noqa: SIM905
)
METRICS_KEYS = (
    "test_windows winner epochs best_epoch middle_mse model_sha256 baselines".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Folder:
    """The files of one run.

    Attributes:
        path: The folder itself.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Everything that decides the run; written before the first step."""
        return self.path / "config.json"

    @property
    def checkpoints(self) -> Path:
        """The newest two checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The best weights and the scale."""
        return self.path / "model.safetensors"

    @property
    def timing(self) -> Path:
        """How long it took: the one file that differs from run to run."""
        return self.path / "timing.json"

    @property
    def metrics(self) -> Path:
        """The scores; written after all other numbers: the run is complete."""
        return self.path / "metrics.json"

    @property
    def curves(self) -> Path:
        """The errors of each epoch."""
        return self.path / "curves.csv"

    @property
    def pictures(self) -> tuple[Path, Path]:
        """The curves and the forecasts as pictures, written after everything else."""
        return self.path / "curves.png", self.path / "forecast.png"

    def owns(self, path: Path) -> bool:
        """Say whether a path is one of the files of the run, there or not."""
        place, folder = path.resolve(), self.path.resolve()
        if not place.is_relative_to(folder):
            return False
        own = (self.config, self.checkpoints, self.model, self.timing, self.metrics)
        names = {p.name for p in (*own, self.curves, *self.pictures)} | {LOCK}
        return place == folder or place.relative_to(folder).parts[0] in names

    @property
    def begun(self) -> bool:
        """Whether there is anything to lose: a checkpoint or a result."""
        results = (self.model, self.metrics)
        kept = any(self.checkpoints.glob("*.json"))
        return kept or any(path.exists() for path in results)


def check_place(
    folder: Folder, settings: Settings, series: Series, *, resume: bool
) -> None:
    """Make sure that a run may begin or go on here; nothing is changed.

    Raises:
        RunError: The folder holds a run and ``resume`` is False, or other files.
        SettingsError: The run began with other settings.
    """
    if folder.path.exists() and not folder.path.is_dir():
        raise RunError(
            f"{folder.path}: is a file; the results of a run go to a folder\n"
            "  fix: choose a new folder with out= (--out)"
        )
    if folder.begun and folder.config.exists():
        if not resume:
            raise RunError(
                f"{folder.path}: holds a run already, and none is overwritten\n"
                "  fix: resume=True (--resume) goes on with it or shows its result; "
                "another out= (--out) starts a new one"
            )
        _require_same(folder, read_config(folder), settings, series)
        return
    ours = {LOCK}
    if folder.config.exists():  # A start that came to nothing may be tried again.
        read_config(folder)
        ours |= {folder.config.name, folder.checkpoints.name}
    others = sorted(
        p.name
        for p in folder.path.glob("*")
        if p.suffix != ".part" and p.name not in ours
    )
    if others:
        raise RunError(
            f"{folder.path}: holds files that are no run: {', '.join(others[:5])}\n"
            "  fix: choose an empty or a new folder"
        )


def begin(
    folder: Folder, settings: Settings, series: Series, scale: Scale, *, resume: bool
) -> None:
    """Write a new run's config, or make sure that an old run may go on.

    The config of a run that has no checkpoint yet is replaced.

    Raises:
        RunError: The folder holds a run and ``resume`` is False, or other files.
        SettingsError: The run began with other settings.
    """
    check_place(folder, settings, series, resume=resume)
    if folder.config.exists():
        remove_parts(folder.path)
    if not folder.begun:
        write_json(folder.config, new_config(settings, series, scale))


def read_config(folder: Folder) -> dict[str, Any]:
    """Read a run's config.

    Raises:
        RunError: There is none, or it is damaged or of another format.
    """
    if not folder.config.exists():
        raise RunError(
            f"{folder.path}: is no run; it has no {folder.config.name}\n"
            "  fix: give the folder that a training run wrote"
        )
    config = read_json(folder.config)
    require_keys(folder.config, config, ["format"])
    if config["format"] != FORMAT:
        raise RunError(
            f"{folder.config}: format {config['format']!r}; this version reads {FORMAT}"
        )
    names = [f"settings.{entry.name}" for entry in fields(Settings)]
    require_keys(folder.config, config, [*names, *CONFIG_KEYS])
    for place in range(len(config["settings"]["cell"])):
        links = [f"settings.cell.{place}.{key}" for key in ("name", "text", "label")]
        require_keys(folder.config, config, links)
    return config


def read_metrics(folder: Folder) -> dict[str, Any]:
    """Read a finished run's scores.

    Raises:
        RunError: The run is not finished, or the file is damaged.
    """
    if not folder.metrics.exists():
        raise RunError(
            f"{folder.path}: the run is not finished\n"
            "  fix: its training command again, with resume=True (--resume)"
        )
    metrics = read_json(folder.metrics)
    require_keys(folder.metrics, metrics, METRICS_KEYS)
    rows = ["model", *(f"baselines.{i}" for i in range(len(metrics["baselines"])))]
    names = [entry.name for entry in fields(Score)]
    require_keys(folder.metrics, metrics, [f"{row}.{n}" for row in rows for n in names])
    return metrics


def build(config: Mapping[str, Any]) -> Forecaster:
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


def save_model(folder: Folder, model: Forecaster) -> str:
    """Write the weights; return their digest."""
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    content = safetensors.torch.save(weights)
    write_bytes(folder.model, content)
    return sha256(content)


def load(run: str | Path) -> Forecaster:
    """Load a trained forecaster, an ordinary ``nn.Module`` in evaluation mode.

    Args:
        run: The folder of a finished run.

    Returns:
        A module from raw values ``[B, T, I]`` to raw forecasts ``[B, horizon]``; I
        counts the target, first, and the inputs, in the order of ``.columns``.

    Raises:
        RunError: The folder is no run, is not finished, or its weights are damaged.
    """
    folder = Folder(Path(run))
    config = read_config(folder)
    digest = read_metrics(folder)["model_sha256"]
    try:
        content = folder.model.read_bytes()
    except OSError as error:
        raise RunError(
            f"{folder.model}: cannot be read ({error.strerror})\n"
            f"  fix: remove {folder.metrics.name}; resume=True writes both again"
        ) from error
    if sha256(content) != digest:
        raise RunError(
            f"{folder.model}: damaged; {len(content):,} bytes whose digest is not the "
            f"one in {folder.metrics.name}\n"
            f"  fix: remove {folder.metrics.name}; resume=True writes both again from "
            "the last checkpoint"
        )
    model = build(config)
    model.load_state_dict(safetensors.torch.load(content))
    return model.eval()


def new_config(settings: Settings, series: Series, scale: Scale) -> dict[str, Any]:
    """Return everything that decides a new run, as plain data."""
    split = settings.plan.split(len(series))
    return {
        "format": FORMAT,
        "settings": settings.to_json(),
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
        "scale": {"mean": scale.mean.tolist(), "std": scale.std.tolist()},
        "software": software(),
    }


def software() -> dict[str, Any]:
    """Return what computes here: versions, and torch's threads."""
    return {
        "cellwright": metadata.version("cellwright"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


def _require_same(
    folder: Folder, config: Mapping[str, Any], settings: Settings, series: Series
) -> None:
    settings.require_same(config["settings"], str(folder.config))
    data = config["data"]
    here = [series.sha256, list(series.columns)]
    if [data["sha256"], data["columns"]] != here:
        raise RunError(
            f"{folder.path}: the run began with other data\n"
            f"  there: {', '.join(data['columns'])} of {data['file']}, "
            f"sha256 {data['sha256'][:12]}…\n"
            f"  here:  {', '.join(series.columns)} of {series.file}, "
            f"sha256 {series.sha256[:12]}…\n"
            "  fix:   give the same file and columns, or choose another folder"
        )
    before, now = config["software"], software()
    changed = [f"{key} {before.get(key)} → {now[key]}" for key in now]
    changed = [
        text
        for key, text in zip(now, changed, strict=True)
        if before.get(key) != now[key]
    ]
    if changed and not folder.metrics.exists():
        warnings.warn(
            f"{folder.path}: goes on with {', '.join(changed)}; the result may differ "
            "in its last bits from an uninterrupted run",
            ResumeWarning,
            stacklevel=2,
        )
