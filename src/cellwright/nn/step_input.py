"""What a step of a stream is called with: tensors or NumPy arrays, a row a stream."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from .errors import DtypeError, ShapeError

FIRST = ""
"""The name of a model's first argument, beside those that it takes by name."""

Step = Mapping[str, Tensor]
"""What one step is called with, ``[B, ...]`` each."""


def like_of(model: nn.Module) -> Tensor:
    """Return a tensor of the widest dtype of floating point in a model, where it is."""
    floats = [
        value
        for value in [*model.parameters(), *model.buffers()]
        if value.is_floating_point()
    ]
    return max(floats, key=lambda value: value.element_size()).new_empty(0)


def read_step(
    owner: str, x: object, inputs: Mapping[str, object], model: nn.Module
) -> tuple[Step, bool]:
    """Return what a step is called with, and whether it had an axis of the batch.

    Args:
        owner: who is called, for messages.
        x: the first argument.
        inputs: the others by name.
        model: what NumPy's arrays are brought to, as it is now.

    Raises:
        DtypeError: for what is neither a tensor nor an array, and for an array of a
            dtype that torch has not.
        ShapeError: for arguments that do not go together, row by row.
    """
    first = _tensor(owner, "x", x, model)
    given = {FIRST: first}
    given |= {n: _tensor(owner, n, value, model) for n, value in inputs.items()}
    # Whole numbers stand for tokens, which have no axis of features.
    axes = 1 if first.is_floating_point() else 0
    if first.dim() < axes:
        raise ShapeError(
            f"{owner}: x is [B, I], [I] of one stream, or [B] of whole numbers\n"
            f"  found  x {list(first.shape)} of {first.dtype}"
        )
    batched = first.dim() > axes
    if not batched:
        given = {name: value.unsqueeze(0) for name, value in given.items()}
    size = given[FIRST].shape[0]
    for name, value in given.items():
        if value.dim() == 0 or value.shape[0] != size:
            raise ShapeError(
                f"{owner}: {name} has a row for each row of x\n"
                f"  found  {name} {list(value.shape)}, x of B={size}"
            )
    return given, batched


def _tensor(owner: str, name: str, value: object, model: nn.Module) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray | np.generic):
        raise DtypeError(
            f"{owner}: {name} is a tensor or a NumPy array\n"
            f"  found  a {type(value).__name__}"
        )
    # A copy: torch takes no negative strides and no foreign byte order, and what the
    # caller writes on the array later reaches no state.
    native = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
    try:
        tensor = torch.from_numpy(native)
    except TypeError:
        raise DtypeError(
            f"{owner}: {name} has a dtype that torch has too\n"
            f"  found  an array of {value.dtype}\n"
            f"  fix    {name}.astype(np.float64)"
        ) from None
    like = like_of(model)
    dtype = like.dtype if tensor.is_floating_point() else None
    return tensor.to(like.device, dtype)
