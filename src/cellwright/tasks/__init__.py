"""Data with pass rules and baselines: what a forecaster is given and must beat."""

from .baselines import Autoregression, Baseline, all_baselines, check_season
from .calendar import following
from .errors import DataError, DataFileError, Fault, StepWarning, TaskError
from .scaling import Scale
from .scores import Score, score
from .series import Series, check_series, read_series
from .shipped import sunspots
from .windows import Block, Plan, Split, histories, targets

__all__ = [
    "Autoregression",
    "Baseline",
    "Block",
    "DataError",
    "DataFileError",
    "Fault",
    "Plan",
    "Scale",
    "Score",
    "Series",
    "Split",
    "StepWarning",
    "TaskError",
    "all_baselines",
    "check_season",
    "check_series",
    "following",
    "histories",
    "read_series",
    "score",
    "sunspots",
    "targets",
]
