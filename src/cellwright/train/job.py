"""What a run is about: what a folder, a loop and a command leave open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from .files import require_keys
from .loop import Loop
from .settings import CellSettings
from .state import Epoch

S = TypeVar("S", bound=CellSettings)
R = TypeVar("R")

METRICS_KEYS = ("parameters", "epochs", "best_epoch", "model_sha256")
"""What every run's ``metrics.json`` has."""

Pictures = Mapping[str, Callable[[], bytes]]
"""What draws each PNG of a run, by the name of its file."""


class Job(ABC, Generic[S, R]):
    """Something that is trained into a result folder.

    S are its settings; R is what the trained model is found to do.

    Args:
        settings: Everything that can be chosen.

    Attributes:
        KIND: What ``config.json`` calls it.
        SETTINGS: The class of its settings.
        CONFIG_KEYS: What ``config.json`` has beside settings and software.
        METRICS_KEYS: What ``metrics.json`` has.
        PICTURES: The names of its pictures.
    """

    KIND: ClassVar[str]
    SETTINGS: ClassVar[type[CellSettings]]
    CONFIG_KEYS: ClassVar[Sequence[str]] = ()
    METRICS_KEYS: ClassVar[Sequence[str]]
    PICTURES: ClassVar[Sequence[str]]

    def __init__(self, settings: S):
        self.settings = settings

    @property
    @abstractmethod
    def name(self) -> str:
        """What its folder below ``runs/`` is called."""

    def facts(self) -> dict[str, Any]:
        """Return what decides a run beside its settings, as plain data."""
        return {}

    def require_same(self, config: Mapping[str, Any], where: str) -> None:
        """Refuse to go on with a run that began otherwise.

        Raises:
            SettingsError: Its settings were others.
            RunError: Its data were others.
        """
        self.settings.require_same(config["settings"], where)

    @classmethod
    @abstractmethod
    def build(cls, config: Mapping[str, Any]) -> nn.Module:
        """Make the model of a config, with weights not yet trained."""

    def rehearse(self) -> None:  # most have nothing to try
        """Fail here, before any file is written, where training could only fail."""

    @abstractmethod
    def loop(self, model: nn.Module, **options: Any) -> Loop:
        """Return what trains a model that has its first weights.

        Args:
            model: As `build` made it.
            **options: Further attributes of the loop.
        """

    @abstractmethod
    def examine(self, model: nn.Module) -> R:
        """Find out what a trained model does; the same each time."""

    @abstractmethod
    def metrics(self, found: R, curve: Sequence[Epoch]) -> dict[str, Any]:
        """Return what came out, as plain data."""

    @classmethod
    def check_metrics(cls, place: Path, metrics: Mapping[str, Any]) -> None:
        """Refuse a ``metrics.json`` that lacks something.

        Raises:
            RunError: It is damaged.
        """
        require_keys(place, metrics, [*cls.METRICS_KEYS, *METRICS_KEYS])

    @abstractmethod
    def pictures(self, found: R, curve: Sequence[Epoch]) -> Pictures:
        """Return what draws the pictures."""
