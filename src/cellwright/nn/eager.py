"""Keep torch.compile out of what it cannot follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def eager(function: F) -> F:
    """Run a function as it is, also where torch.compile compiles its caller.

    The interpreter looks graphs up in caches, which torch.compile cannot follow. With
    ``fullgraph=True`` torch raises an error there.
    """
    return cast("F", torch.compiler.disable(function))
