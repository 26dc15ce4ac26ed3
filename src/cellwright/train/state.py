"""Where a training run stands, to the bit, and how a checkpoint holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from .batches import Source
from .checkpoint import Checkpoints
from .errors import SettingsError
from .parallel import Group
from .plain import from_plain, to_plain
from .trained import Trained, under


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
    best: dict[str, Any] = field(default_factory=dict)
    """What is kept of the best epoch, see `Trained.copied`."""
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


def described(source: Source) -> dict[str, Any]:
    """Return what tells one source of batches from another, as JSON reads it.

    Of a dataclass, as ours are, this is each of its attributes; tensors by shape, dtype
    and a checksum.
    """
    own = [entry.name for entry in fields(source)] if is_dataclass(source) else []
    told = {f"data.{name}": _told(getattr(source, name)) for name in own}
    return {"batches of an epoch": source.batches, **told}


def _told(value: object) -> Any:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        checksum = crc32(flat.view(torch.uint8).numpy().data)
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{list(value.shape)} {dtype}, checksum {checksum:08x}"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value) if is_dataclass(value) else type(value).__name__


@dataclass(frozen=True)
class Kept:
    """What a checkpoint keeps beside the position.

    Attributes:
        trained: The weights.
        optimiser: With all it remembers.
        rates: Its learning rates before the schedule.
        callbacks: Those that have something to remember.
        told: What else has to be the same when the run goes on, as JSON reads it.
    """

    trained: Trained
    optimiser: torch.optim.Optimizer
    rates: list[float]
    callbacks: Sequence[Any]
    told: Mapping[str, Any]

    def outline(self) -> dict[str, Any]:
        """Return what must be the same when a run goes on."""
        shapes = {
            f"parameter {name}": list(value.shape)
            for name, value in self.trained.named().items()
        }
        groups = self.optimiser.param_groups
        return {
            **self.told,
            **shapes,
            "model": repr(self.trained.model).splitlines(),
            "optimiser": type(self.optimiser).__name__,
            "parameters in its groups": [len(group["params"]) for group in groups],
            "callbacks with a state": [type(c).__name__ for c in self.callbacks],
        }


def save(
    checkpoints: Checkpoints, state: State, kept: Kept, carried: Mapping[str, Tensor]
) -> None:
    """Write a checkpoint of everything that the next step depends on.

    Args:
        checkpoints: Where to.
        state: The position.
        kept: What else changes.
        carried: States that go on from batch to batch.

    Raises:
        CheckpointError: It was not written; the former one is untouched.
        SettingsError: A callback or the optimiser remembers what is no plain data.
    """
    tensors = {"order": state.order, "randomness": torch.get_rng_state()}
    tensors |= {f"carried.{name}": value for name, value in carried.items()}
    tensors |= kept.trained.beside
    model = kept.trained.model
    facts: dict[str, Any] = {
        "best": _said(model, state.best, "best", tensors),
        **{
            part: _said(module, module.state_dict(), part, tensors)
            for part, module in kept.trained.parts.items()
        },
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
        "outline": kept.outline(),
        "rates": _said(kept.optimiser, kept.rates, "rates", tensors),
        "optimiser": _said(
            kept.optimiser, kept.optimiser.state_dict(), "optimiser", tensors
        ),
        "callbacks": [_said(c, c.state_dict(), "state") for c in kept.callbacks],
    }
    checkpoints.save(tensors, facts)


def restore(
    checkpoints: Checkpoints, kept: Kept, group: Group
) -> tuple[State, dict[str, Tensor]] | None:
    """Bring everything back to the newest good checkpoint, the randomness too.

    Returns:
        The state and the carried states, or None where there is no checkpoint.

    Raises:
        CheckpointError: There are checkpoints, and every one is damaged.
        SettingsError: The run began with another model, optimiser, data or callbacks.
    """
    # One reads for all: the others need see no disk of its.
    loaded = group.told(checkpoints.load)
    if loaded is None:
        return None
    tensors, facts = loaded
    _require_same(checkpoints, facts["outline"], kept.outline())
    for part, module in kept.trained.parts.items():
        module.load_state_dict(from_plain(facts[part], tensors))
    with torch.no_grad():
        for name, value in kept.trained.beside.items():
            value.copy_(tensors[name])
    _restore_optimiser(kept.optimiser, from_plain(facts["optimiser"], tensors))
    kept.rates[:] = from_plain(facts["rates"], tensors)
    for callback, known in zip(kept.callbacks, facts["callbacks"], strict=True):
        callback.load_state_dict(from_plain(known))
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
        best=from_plain(facts["best"], tensors),
        seconds=facts["seconds"],
    )
    return state, under("carried.", tensors)


def _said(
    who: object, value: Any, place: str, tensors: dict[str, Tensor] | None = None
) -> Any:
    """Return plain data for JSON, or say whose it is that cannot be said."""
    try:
        return to_plain(value, place, tensors)
    except TypeError as error:
        raise SettingsError(
            f"{type(who).__name__}.state_dict(): a checkpoint keeps numbers, strings, "
            f"booleans and None, in lists, tuples and dicts; found that {error}\n"
            "  fix: return plain data, such as value.item() or value.tolist()"
        ) from error


def _require_same(
    checkpoints: Checkpoints, there: Mapping[str, Any], here: Mapping[str, Any]
) -> None:
    differ = [n for n in {**there, **here} if there.get(n) != here.get(n)]
    if differ:
        lines = [f"  {n}: {there.get(n)} there, {here.get(n)} here" for n in differ]
        raise SettingsError(
            f"{checkpoints.folder}: a run resumes with the model, optimiser, data and "
            "callbacks that it began with; found\n"
            + "\n".join(lines)
            + "\n  fix: give those it began with, or begin a new run elsewhere"
        )


def _restore_optimiser(optimiser: torch.optim.Optimizer, known: dict[str, Any]) -> None:
    optimiser.load_state_dict(known)
    # Torch rounds each tensor to its parameter's type, which would change bits.
    ids = [i for group in known["param_groups"] for i in group["params"]]
    every = [p for group in optimiser.param_groups for p in group["params"]]
    for i, parameter in zip(ids, every, strict=True):
        now = optimiser.state.get(parameter, {})
        for key, value in known["state"].get(i, {}).items():
            rounded = now.get(key)
            if isinstance(rounded, Tensor) and rounded.dtype != value.dtype:
                now[key] = value.to(rounded.device)
