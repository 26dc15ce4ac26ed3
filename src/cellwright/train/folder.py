"""The result folder: which files it has, and how a run's config is kept in it."""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from .checkpoint import Checkpoints, apart
from .errors import ResumeWarning, RunError
from .files import (
    read_json,
    remove_parts,
    require_keys,
    sha256,
    write_bytes,
    write_json,
)
from .job import Job
from .jobs import JOBS
from .lock import LOCK

FORMAT = 2


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
    def events(self) -> Path:
        """What TensorBoard shows, where it was asked for."""
        return self.path / "tensorboard"

    @property
    def curves(self) -> Path:
        """The errors of each epoch."""
        return self.path / "curves.csv"

    def complete(self, job: Job[Any, Any]) -> bool:
        """Whether all that the job leaves behind is there, its pictures too."""
        last = (self.metrics, *(self.path / name for name in job.PICTURES))
        return all(path.exists() for path in last)

    def owns(self, path: Path) -> bool:
        """Say whether a path is one of the files of the run, there or not."""
        place, folder = path.resolve(), self.path.resolve()
        if not place.is_relative_to(folder):
            return False
        own = (self.config, self.checkpoints, self.model, self.timing, self.metrics)
        names = {p.name for p in (*own, self.curves, self.events)} | {LOCK}
        names |= {name for job in JOBS.values() for name in job.PICTURES}
        return place == folder or place.relative_to(folder).parts[0] in names

    @property
    def begun(self) -> bool:
        """Whether there is anything to lose: a checkpoint or a result."""
        results = (self.model, self.metrics)
        kept = Checkpoints(self.checkpoints).begun
        return kept or any(path.exists() for path in results)


def check_place(folder: Folder, job: Job[Any, Any], *, resume: bool) -> None:
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
        _require_same(folder, job)
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


def begin(folder: Folder, job: Job[Any, Any], *, resume: bool) -> None:
    """Write a new run's config, or make sure that an old run may go on.

    The config of a run that has no checkpoint yet is replaced.

    Raises:
        RunError: The folder holds a run and ``resume`` is False, or other files.
        SettingsError: The run began with other settings.
    """
    check_place(folder, job, resume=resume)
    if folder.config.exists():
        remove_parts(folder.path)
    if not folder.begun:
        write_json(folder.config, _new_config(job))


def read_config(folder: Folder) -> dict[str, Any]:
    """Read a run's config.

    Raises:
        RunError: There is none, or it is damaged or of another format.
    """
    if not folder.config.exists():
        below = sorted(p.parent.name for p in folder.path.glob("*/config.json"))
        fix = "the folder that a training run wrote"
        if below:
            fix = f"one of the runs in it: {', '.join(below[:8])}"
        raise RunError(
            f"{folder.path}: is no run; it has no {folder.config.name}\n"
            f"  fix: give {fix}"
        )
    config = read_json(folder.config)
    require_keys(folder.config, config, ["format"])
    if config["format"] != FORMAT:
        raise RunError(
            f"{folder.config}: format {config['format']!r}; this version reads {FORMAT}"
        )
    require_keys(folder.config, config, ["job", "software"])
    if config["job"] not in JOBS:
        raise RunError(
            f"{folder.config}: a run of kind {config['job']!r}; this version knows "
            f"{', '.join(JOBS)}"
        )
    job = JOBS[config["job"]]
    names = [f"settings.{entry.name}" for entry in fields(job.SETTINGS)]
    require_keys(folder.config, config, [*names, *job.CONFIG_KEYS])
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
    JOBS[read_config(folder)["job"]].check_metrics(folder.metrics, metrics)
    return metrics


def save_model(folder: Folder, model: nn.Module) -> str:
    """Write the weights; return their digest."""
    content = safetensors.torch.save(apart(model.state_dict()))
    write_bytes(folder.model, content)
    return sha256(content)


def load(run: str | Path) -> nn.Module:
    """Load a trained model, an ordinary ``nn.Module`` in evaluation mode.

    Args:
        run: The folder of a finished run.

    Returns:
        Of a run on a series, a `Forecaster`: from raw values ``[B, T, I]`` to raw
        forecasts ``[B, horizon]``; I counts the target, first, and the inputs, in the
        order of ``.columns``. Of a run on a task, a `Readout`.

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
    model = JOBS[config["job"]].build(config)
    model.load_state_dict(safetensors.torch.load(content))
    return model.eval()


def _new_config(job: Job[Any, Any]) -> dict[str, Any]:
    """Return everything that decides a new run, as plain data."""
    return {
        "format": FORMAT,
        "job": job.KIND,
        "settings": job.settings.to_json(),
        **job.facts(),
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


def _require_same(folder: Folder, job: Job[Any, Any]) -> None:
    config = read_config(folder)
    if config["job"] != job.KIND:
        raise RunError(
            f"{folder.path}: holds a run of another kind: {config['job']}, not "
            f"{job.KIND}\n  fix: choose another folder with out= (--out)"
        )
    job.require_same(config, str(folder.config))
    before, now = config["software"], software()
    changed = [
        f"{key} {before.get(key)} → {value}"
        for key, value in now.items()
        if before.get(key) != value
    ]
    if changed and not folder.metrics.exists():
        warnings.warn(
            f"{folder.path}: goes on with {', '.join(changed)}; the result may differ "
            "in its last bits from an uninterrupted run",
            ResumeWarning,
            stacklevel=2,
        )
