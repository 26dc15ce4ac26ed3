"""Train forecasters, tasks and modules of your own; go on to the same bits."""

from .batches import Batch, Drawn, Source, Tensors, TruncatedBPTT
from .boards import TensorBoard
from .calls import adding, periodic, series, sunspots
from .citing import cite
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
from .loop import Callback, Event
from .loss import squared_error
from .model import Forecaster
from .readout import Readout
from .recipe import Recipe
from .rule import UntilPassed
from .run import Run, SeriesRun, open_run
from .settings import AddingSettings, PeriodicSettings, Settings
from .table import summary

__all__ = [
    "AddingSettings",
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
    "PeriodicSettings",
    "PictureWarning",
    "Readout",
    "Recipe",
    "ResumeWarning",
    "Run",
    "RunError",
    "SeriesRun",
    "Settings",
    "SettingsError",
    "Source",
    "TensorBoard",
    "Tensors",
    "TruncatedBPTT",
    "UntilPassed",
    "adding",
    "cite",
    "fit",
    "load",
    "open_run",
    "periodic",
    "predict",
    "series",
    "squared_error",
    "summary",
    "sunspots",
]
