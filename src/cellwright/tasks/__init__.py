"""Data with pass rules and baselines: what a network is given and must beat."""

from .adding import ADDING_VARIANTS, Adding
from .baselines import Autoregression, Baseline, all_baselines, check_season
from .calendar import following
from .errors import DataError, DataFileError, Fault, StepWarning, TaskError
from .examples import Examples
from .periodic import Periodic, PeriodicScore, free_run
from .rule import PassRule
from .scaling import Scale
from .scores import Score, score
from .series import Series, check_series, read_series
from .shipped import sunspots
from .windows import Block, Plan, Split, histories, targets

__all__ = [
    "ADDING_VARIANTS",
    "Adding",
    "Autoregression",
    "Baseline",
    "Block",
    "DataError",
    "DataFileError",
    "Examples",
    "Fault",
    "PassRule",
    "Periodic",
    "PeriodicScore",
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
    "free_run",
    "histories",
    "read_series",
    "score",
    "sunspots",
    "targets",
]
