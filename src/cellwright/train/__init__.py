"""Train a forecaster on a series, resume it to the same bits, and use the result."""

from .batches import Batch, Drawn, Source, Tensors, TruncatedBPTT
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
from .fitting import Fit, fit
from .folder import load
from .forecasts import Forecasts, predict
from .loop import Callback, Event, squared_error
from .model import Forecaster
from .readout import Readout
from .recipe import Recipe
from .rule import UntilPassed
from .run import Run, open_run, series, sunspots
from .settings import Settings
from .table import summary

__all__ = [
    "Batch",
    "Callback",
    "CheckpointError",
    "CheckpointWarning",
    "DivergedError",
    "Drawn",
    "Event",
    "Fit",
    "Forecaster",
    "Forecasts",
    "InputError",
    "InterruptedRunError",
    "LockWarning",
    "PictureWarning",
    "Readout",
    "Recipe",
    "ResumeWarning",
    "Run",
    "RunError",
    "Settings",
    "SettingsError",
    "Source",
    "Tensors",
    "TruncatedBPTT",
    "UntilPassed",
    "fit",
    "load",
    "open_run",
    "predict",
    "series",
    "squared_error",
    "summary",
    "sunspots",
]
