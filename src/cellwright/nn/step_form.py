"""How a model takes and gives a step, found out by calling it with one and with three.

That is whether the batch stands first, whether the output has an axis of time, and
above all whether steps with carried states are the sequence: a convolution over time or
an attention sees more of a sequence than states carry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .carried import CarriedStates
from .errors import StateError
from .step_input import FIRST, Step


@dataclass(frozen=True)
class StepForm:
    """How a model takes and gives a step.

    Args:
        batch_first: whether it takes ``[B, T, ...]`` instead of ``[T, B, ...]``.
        time: the output's axis of time, None where a call gives one value.
        batch: the output's axis of the batch, once that of time is away.
    """

    batch_first: bool
    time: int | None = None
    batch: int = 0

    def output(self, value: Tensor) -> Tensor:
        """Return the last step of an output."""
        return value if self.time is None else value.select(self.time, -1)


def call(model: Callable[..., Any], steps: Sequence[Step], batch_first: bool) -> Tensor:
    """Call a model with a sequence, and return its result, or the first of several.

    Raises:
        StateError: when that is no tensor.
    """
    axis = 1 if batch_first else 0
    named = {
        name: torch.stack([step[name] for step in steps], axis)
        if len(steps) > 1
        else value.unsqueeze(axis)
        for name, value in steps[0].items()
    }
    result = model(named.pop(FIRST), **named)
    if isinstance(result, tuple | list) and result:
        result = result[0]
    if not isinstance(result, Tensor):
        raise StateError(
            _owner(model),
            "a model returns a tensor, or a tuple whose first item is one",
            f"a {type(result).__name__}",
        )
    return result


def find_form(
    model: Callable[..., Any],
    carried: CarriedStates,
    given: Step,
    batch_first: bool | None,
) -> StepForm:
    """Find out how a model takes and gives a step.

    Args:
        model: the model.
        carried: its states, which are lost.
        given: the first step.
        batch_first: what is known of it.

    Raises:
        StateError: when the output's axes cannot be told, or when steps are not the
            sequence.
    """

    def run(steps: Sequence[Step], batch_first: bool) -> Tensor:
        with carried:
            return call(model, steps, batch_first)

    one, steps = _trial(given)
    own = next(iter(carried.layers.values())).batch_first
    tries = [own, not own] if batch_first is None else [batch_first]
    whole, sizes = torch.empty(0), list[int]()
    for batch_first in tries:
        carried.clear()
        whole = run(steps, batch_first)
        sizes = [values[0].shape[1] for values in carried.values.values()]
        if set(sizes) == {2}:
            break
    else:
        raise StateError(
            _owner(model),
            "every recurrent layer sees the rows of the batch",
            f"layers that see B={', '.join(map(str, sizes))} for 2 streams",
            "batch_first=True takes [B, T, ...], batch_first=False [T, B, ...]",
        )
    carried.clear()
    single = run([one], batch_first)
    carried.clear()
    parts = [run([step], batch_first) for step in steps]
    carried.clear()
    time = _axis(model, parts[0], whole, "of one step and of three")
    form = StepForm(batch_first, time)
    parts = [form.output(part) for part in parts]
    batch = _axis(model, form.output(single), parts[0], "of one row and of two")
    if batch is None:
        shape = list(parts[0].shape)
        raise StateError(
            _owner(model),
            "the output has a row for each stream",
            f"{shape} of one row and of two",
        )
    last = [whole] if time is None else whole.unbind(time)
    if _differ(parts[-len(last) :], last, carried):
        again = run(steps, batch_first)
        carried.clear()
        # What draws random numbers never gives the same twice, and cannot be judged.
        if torch.equal(again.nan_to_num(), whole.nan_to_num()):
            raise StateError(
                _owner(model),
                "steps with carried states are the sequence",
                "an output of three steps that is not that of one after the other",
                "something in the model sees more than one step, such as a convolution "
                "over time, an attention or a mean: stream the recurrent layer alone",
            )
    return StepForm(batch_first, time, batch)


def _trial(given: Step) -> tuple[Step, list[Step]]:
    """Return a step of one row, and three of two rows that are not all alike."""
    one = {
        n: v[:1] if len(v) else v.new_zeros(1, *v.shape[1:]) for n, v in given.items()
    }
    other = {name: _another(value) for name, value in one.items()}
    pairs = [(one, other), (other, one), (one, one)]
    return one, [{n: torch.cat([a[n], b[n]]) for n in one} for a, b in pairs]


def _another(value: Tensor) -> Tensor:
    """Return other values where a model takes these: halfway to 1, token 0."""
    if value.is_floating_point():
        return (value + 1) / 2
    return value if value.dtype == torch.bool else torch.zeros_like(value)


def _axis(model: object, less: Tensor, more: Tensor, of: str) -> int | None:
    """Return the one axis in which two outputs differ, None if they do not."""
    shapes = f"{list(less.shape)} and {list(more.shape)} {of}"
    if less.dim() == more.dim():
        pairs = zip(less.shape, more.shape, strict=True)
        axes = [axis for axis, (a, b) in enumerate(pairs) if a != b]
        if len(axes) < 2:
            return axes[0] if axes else None
    raise StateError(
        _owner(model),
        "the output has one axis of time at most, and one of the batch",
        f"outputs {shapes}",
        "let the model keep its axes, without squeeze(), whatever their length",
    )


def _differ(
    found: Sequence[Tensor], expected: Sequence[Tensor], carried: CarriedStates
) -> bool:
    """Whether values are others, by more than rounding."""
    a, b = (torch.stack(list(values)).double() for values in (found, expected))
    alike = (a == b) | (a.isnan() & b.isnan())
    apart = torch.where(alike, 0.0, (a - b).abs())
    like = next(iter(carried.layers.values())).parameters()
    dtype = next((p.dtype for p in like), torch.float32)
    # Half of the digits: rounding takes the last ones, another step the first.
    bound = torch.finfo(dtype).eps ** 0.5 * b.nan_to_num(posinf=0, neginf=0).abs().max()
    return not bool((apart <= bound).all())


def _owner(model: object) -> str:
    return f"Stream({type(model).__name__})"
