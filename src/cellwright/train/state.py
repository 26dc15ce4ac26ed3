"""Where a training run stands, to the bit, and how a checkpoint holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import Checkpoints


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the curves, in squared training-std units.

    Attributes:
        number: Counted from 1.
        training_mse: Mean of the losses while the weights were changing.
        middle_mse: On the middle block, with the averaged weights at the epoch's end.
    """

    number: int
    training_mse: float
    middle_mse: float


@dataclass
class State:
    """The position of the loop; weights and optimiser stay in their own objects."""

    order: Tensor
    """Training windows of the running epoch in the order drawn for it."""
    step: int = 0
    """Steps finished over the whole run."""
    batch: int = 0
    """Steps finished of the running epoch."""
    loss_sum: float = 0.0
    """Sum over the windows of the running epoch."""
    curve: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    """The averaged weights with the least error on the middle block."""
    seconds: float = 0.0
    """Time spent in steps and epochs, over all resumptions."""

    @property
    def best_epoch(self) -> Epoch | None:
        """The epoch whose weights are the best so far."""
        return min(self.curve, key=lambda row: row.middle_mse, default=None)

    def finished(self, epochs: int, patience: int) -> bool:
        """Say whether the last epoch is done or the middle block no longer improves."""
        best = self.best_epoch
        done = len(self.curve)
        return done >= epochs or (best is not None and done - best.number >= patience)


def save(
    checkpoints: Checkpoints,
    state: State,
    parts: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint of everything that the next step depends on.

    Args:
        checkpoints: Where to.
        state: The position.
        parts: Modules by name; ``model`` is the one that the optimiser changes.
        optimiser: With all it remembers.

    Raises:
        CheckpointError: It was not written; the former one is untouched.
    """
    tensors = {"order": state.order, "randomness": torch.get_rng_state()}
    for part, module in parts.items():
        weights = module.state_dict().items()
        tensors |= {f"{part}.{name}": value for name, value in weights}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for name, parameter in parts["model"].named_parameters():
        for key, value in optimiser.state[parameter].items():
            tensors[f"optimiser.{key}.{name}"] = value
    facts: dict[str, Any] = {
        "step": state.step,
        "batch": state.batch,
        "loss_sum": state.loss_sum,
        "curve": [
            [row.number, row.training_mse, row.middle_mse] for row in state.curve
        ],
        "seconds": state.seconds,
    }
    checkpoints.save(state.step, tensors, facts)


def restore(
    checkpoints: Checkpoints,
    parts: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
) -> State | None:
    """Bring everything back to the newest good checkpoint, the randomness too.

    Returns:
        The state, or None where there is no checkpoint.
    """
    loaded = checkpoints.load()
    if loaded is None:
        return None
    tensors, facts = loaded
    for part, module in parts.items():
        module.load_state_dict(_under(f"{part}.", tensors))
    parameters = dict(parts["model"].named_parameters())
    for place, value in _under("optimiser.", tensors).items():
        key, name = place.split(".", 1)
        optimiser.state[parameters[name]][key] = value.clone()
    torch.set_rng_state(tensors["randomness"])
    return State(
        order=tensors["order"].clone(),
        step=facts["step"],
        batch=facts["batch"],
        loss_sum=facts["loss_sum"],
        curve=[Epoch(*row) for row in facts["curve"]],
        best=_under("best.", tensors),
        seconds=facts["seconds"],
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
