"""Make a torch.nn layer one of ours, or the other way, with the same Parameters."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from .regularise import REGULARISERS

OWN = ("backend", "memory", "init", "forget_bias", "chrono")
"""Attributes that torch.nn's layers have not, beside the regularisers."""

L = TypeVar("L", bound=nn.RNNBase)


def become(module: nn.RNNBase, cls: type[L], backend: str | None = None) -> L:
    """Make a layer one of another class with the same weights, and return it.

    It stays the same object, as with torch.nn.utils.parametrize: whoever holds it, an
    optimiser, a hook or a second parent, keeps holding it.

    Args:
        module: the layer.
        cls: what it becomes.
        backend: of one of ours.
    """
    own = {} if backend is None else {"backend": backend}
    for name in ("_flat_weights", "_memory", "held", *OWN, *REGULARISERS):
        vars(module).pop(name, None)
    module.__class__ = cls
    vars(module).update(own)
    assert isinstance(module, cls)
    module._init_flat_weights()
    return module


def twin(module: nn.RNNBase) -> nn.RNNBase:
    """Return a copy with containers of its own and the very same Parameters."""
    other = copy.copy(module)
    for name, value in vars(other).items():
        if isinstance(value, dict | set | list):
            vars(other)[name] = copy.copy(value)
    return other
