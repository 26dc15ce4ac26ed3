"""Whether a call may read the memory of its tensors, or has to leave an operator."""

from __future__ import annotations

from collections.abc import Sequence

from torch import _C, Tensor
from torch.nn import Parameter


def are_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether tensors are numbers in memory, and nobody records what is done to them.

    Tracers pass tensors of their own round, or look on, as make_fx does, and as
    torch.jit.trace, which notes operators and takes all else for constants.
    """
    return not is_recorded() and all(
        type(each) in (Tensor, Parameter) for each in tensors
    )


def is_recorded() -> bool:
    """Whether somebody records what is done to any tensor."""
    return _C._len_torch_dispatch_stack() > 0 or _C._is_tracing()
