"""Everything that decides the bits of a training run, as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, TypeVar

from cellwright.cells.library import find, load
from cellwright.language.cell import Cell
from cellwright.language.report import Source
from cellwright.nn.gate_bias import FORGET, gate_biases
from cellwright.tasks import Adding, Periodic, Plan

from .errors import SettingsError
from .files import sha256
from .recipe import Recipe, is_finite, is_whole, refusal, share, whole

S = TypeVar("S", bound="CellSettings")

OWN = frozenset(
    "input_size hidden_size num_layers batch_first bidirectional dropout".split()  # noqa: SIM905
)
"""Arguments of `cellwright.nn.Recurrent` that the jobs give themselves."""


@dataclass(frozen=True)
class CellSettings(Recipe):
    """The settings of any run that trains a layer; those of `Recipe` are among them.

    Attributes:
        cell: The equations of one step.
        hidden_size: Units of each layer.
        num_layers: Recurrent layers.
        cell_options: Further arguments of `cellwright.nn.Recurrent`: the cell's sizes
            and constants, ``forget_bias``, ...
        batch_size: Examples in one step.
    """

    cell: Cell = field(default_factory=partial(load, "lstm"))
    hidden_size: int = 32
    num_layers: int = 1
    cell_options: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hidden_size", "num_layers", "batch_size"):
            whole(name, getattr(self, name), 1)
        further = [row.name for row in self.cell.graph.inputs[1:]]
        if further:
            raise SettingsError(
                f"cell: the data of a training command is one input, x; "
                f"{self.cell.name} reads {', '.join(further)} too\n"
                "  fix: another cell, or a module of your own with cellwright.train.fit"
            )
        for name, value in self.cell_options.items():
            if name in OWN:
                raise SettingsError(
                    f"cell_options: {name} is no option of the cell here; "
                    f"found {name}={value!r}"
                )
            if not isinstance(value, int | float | str):
                raise refusal(f"cell_options[{name!r}]", "is a number or text", value)
            if isinstance(value, float) and not is_finite(value):
                raise refusal(f"cell_options[{name!r}]", "is finite", value)

    @classmethod
    def of(  # noqa: PYI019, typing.Self is newer than Python 3.10
        cls: type[S], options: Mapping[str, Any]
    ) -> S:
        """Build from named options; an unknown name is answered with the nearest.

        Args:
            options: Attributes; ``cell`` may be a name, a path, a text or a Cell.

        Raises:
            SettingsError: A name or a value is not one that can be used.
            CellwrightError: The cell cannot be found or read.
        """
        cell: str | os.PathLike[str] | Cell = options.get("cell", "lstm")
        return super().of({**options, "cell": find(cell)})

    @classmethod
    def from_json(  # noqa: PYI019, typing.Self is newer than Python 3.10
        cls: type[S], saved: Mapping[str, Any]
    ) -> S:
        """Rebuild from ``config.json``; the cell comes from its text, not its name."""
        chain = tuple(Source(**link) for link in saved["cell"])
        return cls(**{**saved, "cell": Cell(chain)})

    @property
    def model_name(self) -> str:
        """What tables and plots call the model, such as ``lstm(300)``."""
        layers = f" x {self.num_layers}" if self.num_layers > 1 else ""
        return f"{self.cell.name}({self.hidden_size}){layers}"

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


@dataclass(frozen=True)
class Settings(CellSettings):
    """The settings of one run of a forecaster; those of `CellSettings` are among them.

    Attributes:
        history: Steps that the forecaster sees.
        horizon: Steps that it forecasts.
        change: The linear layer says how far each step lies from the last known value,
            so that a series may rise to where it never was; else the values themselves.
        dropout: Between layers and before the linear layer, in training only.
        season: Period of the seasonal naive; chosen on the middle block if None.
    """

    history: int = 20
    horizon: int = 20
    hidden_size: int = 300
    change: bool = True
    dropout: float = 0.0
    season: int | None = None
    patience: int | None = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("history", "horizon"):
            whole(name, getattr(self, name), 1)
        if self.season is not None and (not is_whole(self.season) or self.season < 1):
            raise refusal("season", "is None or a whole number of rows", self.season)
        if not isinstance(self.change, bool):
            raise refusal("change", "is True or False", self.change)
        share("dropout", self.dropout)

    @property
    def plan(self) -> Plan:
        """History and horizon, for the windows."""
        return Plan(self.history, self.horizon)


@dataclass(frozen=True)
class TaskSettings(CellSettings):
    """What the tasks share; the settings of `CellSettings` are among them.

    Attributes:
        forget_bias: First value of the forget gate's bias, if the cell has such a gate
            and its file does not say a value; None leaves it as it is drawn.
        BATCHES: Of an epoch: nothing comes twice, so this only paces the curves.
    """

    BATCHES: ClassVar[int] = 100

    forget_bias: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.forget_bias is not None and not is_finite(self.forget_bias):
            raise refusal("forget_bias", "is a number or None", self.forget_bias)

    @property
    def layer_options(self) -> dict[str, Any]:
        """What the layer is built with beside its sizes."""
        options: dict[str, Any] = {"num_layers": self.num_layers, **self.cell_options}
        if self.forget_bias is None or "forget_bias" in options:
            return options
        graph = self.cell.graph
        own = {row.name for row in graph.parameters if row.init is not None}
        gates = gate_biases(graph, FORGET, "forget_bias").values()
        biases = [bias for gate in gates for bias in gate]
        if biases and not any(bias.parameter in own for bias in biases):
            options["forget_bias"] = self.forget_bias
        return options


@dataclass(frozen=True)
class AddingSettings(TaskSettings):
    """The settings of a run on the adding task; those of `TaskSettings` are among them.

    Attributes:
        variant: ``"mean"``, ``"1997"`` or ``"sum"``, see `cellwright.tasks.Adding`.
        steps: How long a sequence is; in the 1997 form, at least.
    """

    variant: str = "mean"
    steps: int = 100
    epochs: int = 160
    learning_rate: float = 2e-3
    forget_bias: float | None = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.task  # It refuses what it cannot be.

    @property
    def task(self) -> Adding:
        """What is learned."""
        return Adding(self.steps, self.variant)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class PeriodicSettings(TaskSettings):
    """The settings of a run on 1 0 0 0 ...; those of `TaskSettings` are among them.

    Attributes:
        period: From one 1 to the next.
        steps: Symbols of a sequence.
        start: ``"any"`` or ``"one"``, see `cellwright.tasks.Periodic`.
    """

    BATCHES: ClassVar[int] = 10

    period: int = 4
    steps: int = 40
    start: str = "any"
    hidden_size: int = 1
    batch_size: int = 16
    epochs: int = 600
    learning_rate: float = 2e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_whole(self.period) and self.period < 3:
            rule = "is at least 3: at 2 the present symbol tells the next"
            raise refusal("period", rule, self.period)
        if is_whole(self.steps) and is_whole(self.period) and self.steps < self.period:
            raise refusal("steps", f"is at least the period, {self.period}", self.steps)
        _ = self.task  # It refuses what it cannot be.

    @property
    def task(self) -> Periodic:
        """What is learned."""
        return Periodic(self.period, self.steps, self.start)  # pyright: ignore[reportArgumentType]


def _equations(chain: Sequence[Mapping[str, str]]) -> str:
    text = "\n".join(link["text"] for link in chain)
    return f"{chain[-1]['name']} (sha256 {sha256(text.encode())[:12]}…)"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"
