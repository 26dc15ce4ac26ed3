"""What was measured of a network while it ran, as plain typed data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What a layer gives, as numbers.

    Args:
        path: the layer.
        mean: of all values.
        deviation: their standard deviation.
        units: how many there are of them at one place, features or channels.
        off: how many give 0 for every row and place.
    """

    path: str
    mean: float
    deviation: float
    units: int
    off: int


@dataclass(frozen=True, slots=True)
class Twins:
    """Units of a layer with the same weights.

    Args:
        path: the layer.
        units: how many it has.
        groups: those with equal weights and biases, two or more each.
        steps: so many steps down the gradient were taken, in evaluation.
        apart: of each group the largest difference behind them; None where no gradient
            reaches the layer.
    """

    path: str
    units: int
    groups: tuple[tuple[int, ...], ...]
    steps: int
    apart: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """Between which numbers a state was, over all steps, rows and units.

    Args:
        path: the layer.
        call: number of the call of the layer, from 0.
        state: with layer and direction, ``h'_l0``.
        least: the smallest.
        most: the largest.
        apart: how far a unit's value was from its h at most; None for h itself.
    """

    path: str
    call: int
    state: str
    least: float
    most: float
    apart: float | None


@dataclass(frozen=True, slots=True)
class Alike:
    """A layer beside itself, run one step at a time.

    Args:
        path: the layer.
        steps: how many there are.
        loop: what ran one step, ``nn.LSTMCell`` or the layer.
        apart: the largest difference of the outputs, in float64.
        bound: what still counts as the same.
    """

    path: str
    steps: int
    loop: str
    apart: float
    bound: float


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the gradient of the last output reaches.

    Args:
        path: the layer.
        state: with layer and direction, ``h_l0``.
        steps: how many there are.
        window: steps of one call, with states carried on without their graph; None for
            all steps in one call.
        reach: the farthest step back whose norm is above 1 % of the largest, None if
            none is.
        finding: why it ends there.
    """

    path: str
    state: str
    steps: int
    window: int | None
    reach: int | None
    finding: str


@dataclass(frozen=True, slots=True)
class Descent:
    """One step of gradient descent.

    Args:
        rate: the learning rate.
        before: the loss.
        after: the loss on the same rows behind the step; None where that is no number.
        moved: each tensor that moved, and how far one of its numbers did at most.
    """

    rate: float
    before: float
    after: float | None
    moved: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Working:
    """One unit of a linear layer, worked out for the first row.

    Args:
        path: the layer.
        unit: its number.
        pairs: its weights and what they are multiplied by, in the order of the inputs.
        bias: None without one.
        trained: whether an optimiser may change both.
        value: what the layer gave.
    """

    path: str
    unit: int
    pairs: tuple[tuple[float, float], ...]
    bias: float | None
    trained: bool
    value: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured; what was not asked for is empty."""

    spreads: tuple[Spread, ...] = ()
    twins: tuple[Twins, ...] = ()
    extents: tuple[Extent, ...] = ()
    alike: tuple[Alike, ...] = ()
    reaches: tuple[Reach, ...] = ()
    workings: tuple[Working, ...] = ()
    descents: tuple[Descent, ...] = ()
