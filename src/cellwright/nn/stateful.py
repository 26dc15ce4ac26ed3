"""Which layers of a model have states, what they are called, and how they begin."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellwright.autograd import without_autocast
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments
from cellwright.cells import load
from cellwright.ir.graph import Graph

from .errors import StateError
from .layer_sizes import numbers
from .recurrent import Recurrent
from .torch_weights import cell_name

Layer = Recurrent | nn.RNNBase
"""A recurrent layer of ours, a drop-in, or one of torch.nn's."""


def recurrent_layers(model: nn.Module, owner: str) -> dict[str, Layer]:
    """Return the recurrent layers of a model by name.

    Args:
        model: any module; it may be such a layer itself, whose name is then empty.
        owner: who asks, for messages.

    Raises:
        StateError: with all that has states which cannot be carried, or when there is
            no such layer.
    """
    layers: dict[str, Layer] = {}
    faults: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, Recurrent | nn.RNNBase):
            layers[name] = module
            if module.bidirectional:
                faults.append(
                    f"{in_words(name, module)} reads the sequence from its end too, "
                    "which is still to come: take bidirectional=False"
                )
        elif isinstance(module, nn.RNNCellBase):
            kind = type(module).__name__.removesuffix("Cell")
            faults.append(
                f"{in_words(name, module)} has its states from the model's forward: "
                f"take {kind}, or carry them yourself"
            )
    if not layers and not faults:
        faults.append(
            "no recurrent layer: give one of cellwright.nn or torch.nn, or a module "
            "that has one"
        )
    if faults:
        rule = "states are carried of recurrent layers of one direction"
        raise StateError(owner, rule, "\n         ".join(faults))
    return layers


def in_words(name: str, layer: nn.Module) -> str:
    """Return a layer with its name in the model, for messages."""
    words = f"{type(layer).__name__}({layer.extra_repr()})"
    return f"{name!r} {words}" if name else words


def graph_of(layer: Layer) -> Graph:
    """Return the graph of a layer's cell, of a drop-in's and of torch.nn's too."""
    if isinstance(layer, Recurrent):
        return layer.graph
    return load(cell_name(layer.mode, layer.proj_size)).specialise(layer.bias)


def state_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of a layer's states, in the order of its hx."""
    if isinstance(layer, Recurrent):
        return tuple(state.name for state in layer.graph.states)
    return ("h", "c") if layer.mode == "LSTM" else ("h",)


def state_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Return the shape of each state of a layer by name, without batch: ``[L*D, H]``.

    Example:
        >>> import cellwright as cw
        >>> state_shapes(cw.nn.LSTM(3, 8, num_layers=2, proj_size=5))
        {'h': (2, 5), 'c': (2, 8)}
    """
    rows = layer.num_layers * (1 + layer.bidirectional)
    if isinstance(layer, Recurrent):
        sizes = layer._sizes[0]
        return {s.name: (rows, *numbers(s.shape, sizes)) for s in layer.graph.states}
    widths = [layer.proj_size or layer.hidden_size, layer.hidden_size]
    pairs = zip(state_names(layer), widths, strict=False)
    return {name: (rows, width) for name, width in pairs}


def output_width(layer: Layer) -> int:
    """Return the number of features that a layer puts out, of both its directions."""
    own = (
        layer.output_size
        if isinstance(layer, Recurrent)
        else layer.proj_size or layer.hidden_size
    )
    return own * (1 + layer.bidirectional)


def first_states(layer: Layer, batch_size: int) -> tuple[Tensor, ...]:
    """Return what the states of a layer are before the first step.

    They are what the cell declares, differentiable where that hangs on parameters, and
    0 for the drop-ins and torch.nn's layers.

    Args:
        layer: of one direction.
        batch_size: number of rows.

    Shape:
        ``[L, B, H]`` each, in the order of the layer's hx.
    """
    if not isinstance(layer, Recurrent):
        like = next(layer.parameters())
        shapes = state_shapes(layer).values()
        return tuple(like.new_zeros((r, batch_size, *s)) for r, *s in shapes)
    graph, like = layer.graph, layer._like()
    found: list[list[Tensor]] = [[] for _ in graph.states]
    with without_autocast(like.device.type):
        for suffix, sizes in layer._places():
            learned = {
                p.name: getattr(layer, p.name + suffix) for p in graph.parameters
            }
            fixed = {c.name: getattr(layer, c.name + suffix) for c in graph.constants}
            arguments = Arguments(sizes, learned, fixed)
            declared = interpret.first_states(graph, arguments, like)
            for kept, value in zip(found, declared, strict=True):
                kept.append(value.expand(batch_size, *value.shape))
    return tuple(torch.stack(kept) for kept in found)
