"""The settings of runs on the tasks that are drawn: adding and periodic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cellwright.nn.gate_bias import FORGET, gate_biases
from cellwright.tasks import Adding, Periodic

from .recipe import is_finite, refusal
from .settings import CellSettings


@dataclass(frozen=True)
class TaskSettings(CellSettings):
    """What the tasks share; the settings of `CellSettings` are among them.

    Attributes:
        forget_bias: First value of the forget gate's bias, if the cell has such a gate;
            None leaves it as it is drawn.
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
        if gate_biases(self.cell.graph, FORGET, "forget_bias"):
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
        _ = self.task  # It refuses what it cannot be.

    @property
    def task(self) -> Periodic:
        """What is learned."""
        return Periodic(self.period, self.steps, self.start)  # pyright: ignore[reportArgumentType]
