"""All that a training changes: a model's weights, and others that the optimiser has."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .errors import SettingsError
from .parallel import Group
from .restarts import draw_again, require_drawable

MODEL, BESIDE = "model.", "beside."


class Trained:
    """What is trained, what is kept of it, and how it begins again.

    Args:
        model: Changed in place.
        optimiser: May have weights beside those of the model, such as a loss'.
        loss: A module where it has weights of its own.
        average: Whether the average of the model's weights is kept, not these.

    Attributes:
        kept: The model, or one with the average of its weights.
        beside: The optimiser's weights that the model has not, by their place in it.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        loss: object,
        average: bool,
    ):
        self.model, self._loss = model, loss
        self.kept = copy.deepcopy(model) if average else model
        own = {id(weight) for weight in model.parameters()}
        every = [p for group in optimiser.param_groups for p in group["params"]]
        self.changed: list[Tensor] = every
        self.beside = {
            f"{BESIDE}{i}": p for i, p in enumerate(every) if id(p) not in own
        }

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The modules that a checkpoint has, by name."""
        parts = {"model": self.model}
        return parts if self.kept is self.model else {**parts, "averaged": self.kept}

    def named(self) -> dict[str, Tensor]:
        """Return all weights, by names for people."""
        others = {
            f"weight {name.removeprefix(BESIDE)} of the optimiser": weight
            for name, weight in self.beside.items()
        }
        return {**dict(self.model.named_parameters()), **others}

    def agree(self, group: Group) -> None:
        """Give every process the leading one's weights and buffers."""
        state = self.model.state_dict().values()
        group.share([*(v for v in state if isinstance(v, Tensor))])
        group.share(list(self.beside.values()))

    def copied(self) -> dict[str, Any]:
        """Return what is kept, such as it is now."""
        state = self.kept.state_dict().items()
        found = {f"{MODEL}{name}": _copied(value) for name, value in state}
        return found | {name: _copied(value) for name, value in self.beside.items()}

    @torch.no_grad()
    def take(self, copied: Mapping[str, Any]) -> None:
        """Give the model, and what is beside it, values that were copied."""
        self.model.load_state_dict(under(MODEL, copied))
        for name, weight in self.beside.items():
            weight.copy_(copied[name])

    def require_drawable(self) -> None:
        """Refuse restarts where a weight cannot be drawn anew.

        Raises:
            SettingsError: A module does not say how, or a weight is in no module.
        """
        parts = self._drawn()
        for part in parts:
            require_drawable(part)
        known = {id(weight) for part in parts for weight in part.parameters()}
        if any(id(weight) not in known for weight in self.changed):
            raise SettingsError(
                "restarts draw weights anew by reset_parameters(); found weights of "
                "the optimiser that neither the model has nor the loss, as a module"
            )

    def draw_again(self) -> None:
        """Draw all weights anew."""
        for part in self._drawn():
            draw_again(part)
        if self.kept is not self.model:
            self.kept.load_state_dict(self.model.state_dict())

    def _drawn(self) -> list[nn.Module]:
        if self.beside and isinstance(self._loss, nn.Module):
            return [self.model, self._loss]
        return [self.model]

    @torch.no_grad()
    def average(self, share: float) -> None:
        """Move the averaged weights towards the present ones; take over buffers.

        Args:
            share: How much of the average stays.
        """
        if self.kept is self.model:
            return
        pairs = zip(self.kept.parameters(), self.model.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - share)
        buffers = zip(self.kept.buffers(), self.model.buffers(), strict=True)
        for there, here in buffers:
            there.copy_(here)


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def under(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return what names with a prefix stand for, by the rest of the names."""
    return {
        name.removeprefix(prefix): value
        for name, value in named.items()
        if name.startswith(prefix)
    }
