"""Everything that decides the bits of a training run, as one frozen value."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from cellwright.cells.library import find, load
from cellwright.language.cell import Cell
from cellwright.language.report import Source
from cellwright.tasks import Plan

from .errors import SettingsError
from .files import sha256

_AT_LEAST_ONE = (
    "history horizon hidden_size num_layers epochs batch_size patience".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Settings:
    """The settings of one run.

    Attributes:
        history: Steps that the forecaster sees.
        horizon: Steps that it forecasts.
        cell: The equations of one step.
        hidden_size: Units of each layer.
        num_layers: Recurrent layers.
        change: The linear layer says how far each step lies from the last known value,
            so that a series may rise to where it never was; else the values themselves.
        dropout: Between layers and before the linear layer, in training only.
        cell_options: Further arguments of `cellwright.nn.Recurrent`: the cell's sizes
            and constants, ``forget_bias``, ...
        epochs: At most so many passes over the training windows.
        patience: Stop after so many epochs without a better middle block.
        batch_size: Windows in one step.
        learning_rate: Of Adam.
        clip: The largest norm of the gradient.
        average: The forecaster is a running average of the weights; so much of it
            stays at each step. 0 is the weights themselves.
        season: Period of the seasonal naive; chosen on the middle block if None.
        seed: Starts the only source of randomness.
    """

    history: int = 20
    horizon: int = 20
    cell: Cell = field(default_factory=partial(load, "lstm"))
    hidden_size: int = 300
    num_layers: int = 1
    change: bool = True
    dropout: float = 0.0
    cell_options: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    epochs: int = 20
    patience: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    clip: float = 1.0
    average: float = 0.0
    season: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            value = getattr(self, name)
            if not _is_whole(value) or value < 1:
                raise _refusal(name, "is a whole number, at least 1", value)
        if self.season is not None and (not _is_whole(self.season) or self.season < 1):
            raise _refusal("season", "is None or a whole number of rows", self.season)
        if not _is_whole(self.seed) or not 0 <= self.seed < 2**63:
            raise _refusal("seed", "is a whole number from 0 to 2**63 - 1", self.seed)
        if not isinstance(self.change, bool):
            raise _refusal("change", "is True or False", self.change)
        for name, value in self.cell_options.items():
            if not isinstance(value, int | float | str):
                raise _refusal(f"cell_options[{name!r}]", "is a number or text", value)
            if isinstance(value, float) and not math.isfinite(value):
                raise _refusal(f"cell_options[{name!r}]", "is finite", value)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not _is_finite(value) or value <= 0:
                raise _refusal(name, "is a finite number above 0", value)
        for name in ("dropout", "average"):
            value = getattr(self, name)
            if not _is_finite(value) or not 0 <= value < 1:
                raise _refusal(name, "is a number from 0 to below 1", value)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Settings:
        """Build from named options; an unknown name is answered with the nearest.

        Args:
            options: Attributes; ``cell`` may be a name, a path, a text or a Cell.

        Raises:
            SettingsError: A name or a value is not one that can be used.
            CellwrightError: The cell cannot be found or read.
        """
        known = [entry.name for entry in fields(cls)]
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else ", ".join(known)
                raise SettingsError(f"there is no setting {name!r}\n  fix: {hint}")
        cell: str | os.PathLike[str] | Cell = options.get("cell", "lstm")
        return cls(**{**options, "cell": find(cell)})

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Settings:
        """Rebuild from ``config.json``; the cell comes from its text, not its name."""
        chain = tuple(Source(**link) for link in saved["cell"])
        return cls(**{**saved, "cell": Cell(chain)})

    @property
    def model_name(self) -> str:
        """What tables and plots call the model, such as ``lstm(300)``."""
        layers = f" x {self.num_layers}" if self.num_layers > 1 else ""
        return f"{self.cell.name}({self.hidden_size}){layers}"

    @property
    def plan(self) -> Plan:
        """History and horizon, for the windows."""
        return Plan(self.history, self.horizon)

    def kept(self, step: int) -> float:
        """Return how much of the running average stays at a step, counted from 1.

        It begins small, so that the first weights, which are random, are soon
        forgotten.

        Example:
            >>> [round(Settings(average=0.98).kept(step), 3) for step in (1, 10, 1000)]
            [0.182, 0.55, 0.98]
        """
        return min(self.average, (1 + step) / (10 + step))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for ``config.json``."""
        chain = [
            {"name": link.name, "text": link.text, "label": link.label}
            for link in self.cell.chain
        ]
        plain = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {**plain, "cell": chain, "cell_options": dict(self.cell_options)}

    def require_same(self, saved: Mapping[str, Any], where: str) -> None:
        """Refuse to continue a run under other settings: its bits would be neither's.

        Raises:
            SettingsError: Names every setting that differs.
        """
        lines = []
        for name, here in self.to_json().items():
            there = saved.get(name)
            if name == "cell":  # Where a cell's file lies decides nothing.
                there, here = _equations(saved["cell"]), _equations(here)
            if there != here:
                lines.append(f"  {name}: {_short(there)} there, {_short(here)} here")
        if not lines:
            return
        raise SettingsError(
            f"{where}: a run resumes under the settings it began with\n"
            + "\n".join(lines)
            + "\n  fix: repeat the settings of the run, or choose another folder"
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _refusal(name: str, rule: str, value: object) -> SettingsError:
    return SettingsError(f"{name} {rule}; found {name}={value!r}")


def _equations(chain: Sequence[Mapping[str, str]]) -> str:
    text = "\n".join(link["text"] for link in chain)
    return f"{chain[-1]['name']} (sha256 {sha256(text.encode())[:12]}…)"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"
