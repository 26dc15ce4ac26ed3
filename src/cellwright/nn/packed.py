"""Run a layer over a PackedSequence: as a padded one with lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from .errors import OptionError


def run_packed(
    layer: str,
    packed: PackedSequence,
    batch_first: bool,
    lengths: object,
    run: Callable[[Tensor, Tensor], tuple[Any, ...]],
) -> tuple[Any, ...]:
    """Return what a layer returns, with the output packed as the input was.

    Args:
        layer: the layer in words.
        packed: the input.
        batch_first: layout in which ``run`` takes and returns tensors.
        lengths: what the caller gave beside it, which must be nothing.
        run: takes the padded input and the lengths, rows in the caller's order.

    Raises:
        OptionError: for lengths beside those of the PackedSequence.
    """
    if lengths is not None:
        raise OptionError(
            f"{layer}: a PackedSequence has its own lengths; leave out lengths="
        )
    x, counts = pad_packed_sequence(packed, batch_first)
    output, *rest = run(x, counts)
    _, sizes, order, back = packed
    if order is not None:
        output = output.index_select(0 if batch_first else 1, order)
        counts = counts[order.to(counts.device)]
    data = pack_padded_sequence(output, counts, batch_first).data
    return (PackedSequence(data, sizes, order, back), *rest)
