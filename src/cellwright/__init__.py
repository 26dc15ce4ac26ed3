"""Write a recurrent cell once, as its equations."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import cells as cells
    from . import networks as networks
    from . import nn as nn
    from . import tasks as tasks
    from . import train as train
    from .checks.compare import compare as compare
    from .checks.gradients import check_gradients as check_gradients
    from .errors import CellwrightError as CellwrightError
    from .explain.inside import horizon as horizon
    from .explain.inside import trace as trace
    from .explain.opened import explain as explain
    from .explain.summary import summary as summary
    from .language.cell import Cell as Cell
    from .nn.convert import convert as convert
    from .nn.stream import Stream as Stream
    from .train import cite as cite
    from .train import load as load

_HOMES = {
    "cells": "cells",
    "networks": "networks",
    "nn": "nn",
    "tasks": "tasks",
    "train": "train",
    "compare": "checks.compare",
    "check_gradients": "checks.gradients",
    "CellwrightError": "errors",
    "explain": "explain",
    "horizon": "explain.inside",
    "trace": "explain.inside",
    "Cell": "language.cell",
    "convert": "nn.convert",
    "Stream": "nn.stream",
    "cite": "train",
    "summary": "explain.summary",
    "load": "train",
}
"""Where each name comes from when it is first used: torch takes seconds to import, and
who only reads a cell's text should not wait for it."""

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:  # Else every name would be one for a type checker.

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(f".{_HOMES[name]}", __name__)
        return home if _HOMES[name] == name else getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
