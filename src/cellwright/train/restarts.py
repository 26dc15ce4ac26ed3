"""Begin again with weights that are drawn anew."""

from __future__ import annotations

from torch import nn

from .errors import SettingsError


def require_drawable(model: nn.Module) -> None:
    """Refuse a model whose weights cannot be drawn anew.

    Raises:
        SettingsError: A module has parameters of its own and no ``reset_parameters``.
    """
    for name, module in model.named_modules():
        own = next(module.parameters(recurse=False), None) is not None
        if own and not callable(getattr(module, "reset_parameters", None)):
            raise SettingsError(
                "restarts draw weights anew by reset_parameters(); found "
                f"{type(module).__name__} {name!r} with parameters and without it"
            )


def draw_again(model: nn.Module) -> None:
    """Draw all weights anew, a module's after those of the modules inside of it."""
    model.apply(_draw)


def _draw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
