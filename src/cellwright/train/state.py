"""Where a training run stands, to the bit, and how a checkpoint holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import Checkpoints


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the curves.

    Attributes:
        number: Counted from 1.
        training_loss: Mean of the losses while the weights were changing.
        middle_loss: On the middle block, with the weights that are kept; None where
            nothing is measured.
    """

    number: int
    training_loss: float
    middle_loss: float | None = None

    @property
    def decides(self) -> float:
        """The loss that the best epoch has the least of."""
        return self.training_loss if self.middle_loss is None else self.middle_loss


def best_of(curve: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights are the best, the first of equals."""
    return min(curve, key=lambda row: row.decides)


@dataclass
class State:
    """The position of the loop; weights and optimiser stay in their own objects."""

    order: Tensor
    """What the running epoch's batches depend on, as drawn for it."""
    step: int = 0
    """Steps finished over the whole run."""
    batch: int = 0
    """Batches finished of the running epoch."""
    loss_sum: float = 0.0
    """Sum over the targets of the running epoch."""
    count: int = 0
    """Targets seen in the running epoch."""
    restart: int = 0
    """How many times the weights were drawn anew."""
    begun: int = 0
    """Epochs before the last restart."""
    ended: bool = False
    """Whether a callback ended the training."""
    curve: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights of the best epoch."""
    seconds: float = 0.0
    """Time spent in steps and epochs, over all resumptions."""

    @property
    def best_epoch(self) -> Epoch | None:
        """The epoch whose weights are the best so far."""
        return best_of(self.curve) if self.curve else None

    def finished(self, epochs: int, patience: int | None) -> bool:
        """Say whether the last epoch is done or the middle block no longer improves."""
        rows = self.curve[self.begun :]
        best = min(rows, key=lambda row: row.decides, default=None)
        if best is None or patience is None:
            return len(rows) >= epochs
        return len(rows) >= epochs or rows[-1].number - best.number >= patience


def save(
    checkpoints: Checkpoints,
    state: State,
    parts: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    carried: Mapping[str, Tensor],
    remembered: Sequence[Any],
) -> None:
    """Write a checkpoint of everything that the next step depends on.

    Args:
        checkpoints: Where to.
        state: The position.
        parts: Modules by name; ``model`` is the one that the optimiser changes.
        optimiser: With all it remembers.
        carried: States that go on from batch to batch.
        remembered: Plain data of each callback that has any.

    Raises:
        CheckpointError: It was not written; the former one is untouched.
    """
    tensors = {"order": state.order, "randomness": torch.get_rng_state()}
    for part, module in parts.items():
        weights = module.state_dict().items()
        tensors |= {f"{part}.{name}": value for name, value in weights}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    tensors |= {f"carried.{name}": value for name, value in carried.items()}
    plain: dict[str, Any] = {}
    for name, parameter in parts["model"].named_parameters():
        for key, value in optimiser.state[parameter].items():
            kept = tensors if isinstance(value, Tensor) else plain
            kept[f"optimiser.{key}.{name}"] = value
    facts: dict[str, Any] = {
        "step": state.step,
        "batch": state.batch,
        "loss_sum": state.loss_sum,
        "count": state.count,
        "restart": state.restart,
        "begun": state.begun,
        "ended": state.ended,
        "curve": [
            [row.number, row.training_loss, row.middle_loss] for row in state.curve
        ],
        "seconds": state.seconds,
        "optimiser": plain,
        "callbacks": list(remembered),
    }
    checkpoints.save(state.step, tensors, facts)


def restore(
    checkpoints: Checkpoints,
    parts: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
) -> tuple[State, dict[str, Tensor], list[Any]] | None:
    """Bring everything back to the newest good checkpoint, the randomness too.

    Returns:
        The state, the carried states and the callbacks' data, or None where there is
        no checkpoint.
    """
    loaded = checkpoints.load()
    if loaded is None:
        return None
    tensors, facts = loaded
    for part, module in parts.items():
        module.load_state_dict(_under(f"{part}.", tensors))
    parameters = dict(parts["model"].named_parameters())
    remembered = _under("optimiser.", {**tensors, **facts["optimiser"]})
    for place, value in remembered.items():
        key, name = place.split(".", 1)
        own = value.clone() if isinstance(value, Tensor) else value
        optimiser.state[parameters[name]][key] = own
    torch.set_rng_state(tensors["randomness"])
    state = State(
        order=tensors["order"].clone(),
        step=facts["step"],
        batch=facts["batch"],
        loss_sum=facts["loss_sum"],
        count=facts["count"],
        restart=facts["restart"],
        begun=facts["begun"],
        ended=facts["ended"],
        curve=[Epoch(*row) for row in facts["curve"]],
        best=_under("best.", tensors),
        seconds=facts["seconds"],
    )
    return state, _under("carried.", tensors), facts["callbacks"]


def _under(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in named.items()
        if name.startswith(prefix)
    }
