"""What a drop-in is for good: the cell that torch.nn's layer computes, in its sizes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from cellwright.cells import load

from .call import Form
from .torch_weights import cell_name
from .traced import form_text


@lru_cache(maxsize=256)
def dropin_form(
    words: str,
    mode: str,
    input_size: int,
    hidden_size: int,
    proj_size: int,
    num_layers: int,
    bias: bool,
    bidirectional: bool,
) -> Form:
    """Return what a drop-in is, from its attributes.

    Args:
        words: the layer, for messages.
        mode: as in torch.nn, like all that follows.
        input_size: of the lowest layer.
        hidden_size: of every layer.
        proj_size: of every layer.
        num_layers: how many.
        bias: whether there are biases.
        bidirectional: whether there are two directions.
    """
    width = (proj_size or hidden_size) * (1 + bidirectional)
    own = {"hidden_size": hidden_size, "proj_size": proj_size}
    sizes = [
        {"input_size": width if layer else input_size, **own}
        for layer in range(num_layers)
    ]
    graph = load(cell_name(mode, proj_size)).specialise(bias)
    return Form(words, graph, sizes, bidirectional, packed=True)


@torch.compiler.assume_constant_result
def dropin_form_text(*made_of: Any) -> str:
    """Return the same as a text; its arguments are plain, as torch.compile asks."""
    return form_text(dropin_form(*made_of))
