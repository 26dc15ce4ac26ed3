"""Train a forecaster on a series, resume it to the same bits, and use the result."""

from .errors import (
    CheckpointError,
    CheckpointWarning,
    DivergedError,
    InputError,
    InterruptedRunError,
    LockWarning,
    PictureWarning,
    ResumeWarning,
    RunError,
    SettingsError,
)
from .folder import load
from .forecasts import Forecasts, predict
from .model import Forecaster
from .run import Run, open_run, series, sunspots
from .settings import Settings
from .table import summary

__all__ = [
    "CheckpointError",
    "CheckpointWarning",
    "DivergedError",
    "Forecaster",
    "Forecasts",
    "InputError",
    "InterruptedRunError",
    "LockWarning",
    "PictureWarning",
    "ResumeWarning",
    "Run",
    "RunError",
    "Settings",
    "SettingsError",
    "load",
    "open_run",
    "predict",
    "series",
    "summary",
    "sunspots",
]
