"""Train on a memory task until it is learned, and say what was."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from cellwright.cells.library import find, load
from cellwright.language.cell import Cell
from cellwright.language.report import Source as CellText
from cellwright.tasks import Adding, Examples, PassRule

from .batches import Drawn
from .errors import PictureWarning, RunError, SettingsError
from .files import read_json, require_keys, sha256, write_bytes, write_json, write_text
from .fit import CHECKPOINT_SECONDS, Fit, fit
from .folder import FORMAT, Folder, software
from .lock import locked
from .plots import memory_picture
from .readout import Readout
from .recipe import Recipe, share, whole
from .results import curve_text
from .rule import UntilPassed

TEST = 2560
"""Fresh sequences that what was learned is tested on, as in 1997."""
TEST_SEED = 1997
EPOCH = 100
"""Batches of one row of the curves."""


@dataclass(frozen=True)
class MemorySettings(Recipe):
    """The settings of a run on a memory task; those of `Recipe` are among them.

    Attributes:
        steps: How long a sequence is.
        variant: Which form of the task.
        cell: The equations of one step.
        hidden_size: Units of each layer.
        num_layers: Recurrent layers.
        cell_options: Further arguments of `cellwright.nn.Recurrent`.
        batch_size: Sequences in one step.
        sequences: At most so many are learned from.
    """

    steps: int = 100
    variant: str = "mean"
    cell: Cell = field(default_factory=partial(load, "lstm"))
    hidden_size: int = 32
    num_layers: int = 1
    cell_options: Mapping[str, float | int | str | bool] = field(
        default_factory=lambda: {"forget_bias": 3.0}
    )
    batch_size: int = 64
    sequences: int = 1_000_000
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "hidden_size", "num_layers", "batch_size", "sequences"):
            whole(name, getattr(self, name), 1)
        share("dropout", 0.0)
        self.task  # noqa: B018  # it refuses what it cannot be

    @property
    def task(self) -> Adding:
        """What is learned."""
        return Adding(self.steps, self.variant)  # pyright: ignore[reportArgumentType]
