"""Keep torch.compile and torch.jit.script out of what they cannot follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import torch

from cellwright.compiler.choose import BackendError

F = TypeVar("F", bound=Callable[..., Any])


def eager(function: F) -> F:
    """Run a function as it is, also where torch.compile compiles its caller.

    The interpreter looks graphs up in caches, which torch.compile cannot follow. With
    ``fullgraph=True`` torch raises an error there.
    """
    return cast("F", torch.compiler.disable(function))


def refuse_script(layer: str, fix: str) -> NoReturn:
    """Raise BackendError in the place of what torch.jit.script would say.

    TorchScript compiles a layer from the source of its forward, and ours finds a
    backend, checks shapes and reads a graph. torch lets a module put another in its
    place for this, and would leave that one in the caller's own model.

    Args:
        layer: in words.
        fix: what to do.
    """
    raise BackendError(f"{layer}: torch.jit.script cannot compile it; {fix}")
