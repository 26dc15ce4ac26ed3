"""A layer's call as one node of the graph that torch.compile traces.

Dynamo cannot follow how a cell's text becomes a kernel, and need not: it puts the call
below into its graph as it stands. What traces that graph further sees torch's own
operations and the two operators of `autograd.operators`. Dynamo looks again at what it
read itself, so a layer reaches the node as texts that are made of such values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from cellwright.ir.text import parse_graph, print_graph

from .call import Form, run_layer, suffixes
from .extras import Request, Settings
from .memory import Memory
from .regularise import REGULARISERS, Draws, Zoneout


class TracedLayer(Settings, Protocol):
    """What a layer that is traced has."""

    num_layers: int
    bidirectional: bool


def form_text(form: Form) -> str:
    """Return a form as a text."""
    sizes = [dict(each) for each in form.sizes]
    graph = print_graph(form.graph)
    return json.dumps([form.layer, graph, sizes, form.bidirectional, form.packed])


def run_in_graph(
    form: str,
    layer: TracedLayer,
    weights: Mapping[str, Tensor],
    input: Tensor,
    hx: Tensor | Sequence[Tensor] | None,
    request: Mapping[str, Any],
    inputs: Mapping[str, Tensor],
) -> tuple[Any, ...]:
    """Return what the layer's call returns, by its kernels; Dynamo follows this.

    Args:
        form: what the layer is, by `form_text`.
        layer: how it is set.
        weights: as for `run_layer`, like all that follows.
        input: a tensor.
        hx: first values of the states.
        request: the fields of a `Request`.
        inputs: the cell's further inputs.
    """
    shares = {n: _text(getattr(layer, n)) for n in ("dropout", *REGULARISERS)}
    if isinstance(request["lengths"], list | tuple | int):
        # As numbers they would be constants, and others compile the graph anew.
        request = {**request, "lengths": torch.tensor(request["lengths"])}
    plain = {
        "training": layer.training,
        "batch_first": layer.batch_first,
        "memory": layer.memory,
    }
    settings = (plain, shares)
    output, state, *values = _node(form, settings, weights, input, hx, request, inputs)
    if not values:
        return output, state
    names = [
        name + suffix
        for each in range(layer.num_layers)
        for suffix in suffixes(each, layer.bidirectional)
        for name in dict.fromkeys(request["trace"])
    ]
    return output, state, dict(zip(names, values, strict=True))


@torch.compiler.allow_in_graph
def _node(
    form: str,
    settings: tuple[Mapping[str, Any], Mapping[str, Any]],
    weights: Mapping[str, Tensor],
    input: Tensor,
    hx: Tensor | Sequence[Tensor] | None,
    request: Mapping[str, Any],
    inputs: Mapping[str, Tensor],
) -> tuple[Any, ...]:
    """Return the output, the state or states, and the values that are traced."""
    words, graph, sizes, bidirectional, packed = json.loads(form)
    output, state, *traces = run_layer(
        Form(words, parse_graph(graph), sizes, bidirectional, packed),
        _Settings(
            **settings[0], **{n: _read(value) for n, value in settings[1].items()}
        ),
        "c",
        weights,
        input,
        hx,
        Request(**request),
        inputs,
    )
    return output, state, *(value for each in traces for value in each.values())


@dataclass
class _Settings:
    training: bool
    batch_first: bool
    memory: Memory
    dropout: float
    zoneout: Zoneout
    variational_dropout: float
    weight_dropout: float
    held: Draws | None = None


def _text(shares: Zoneout) -> Any:
    """Return a share as a text, or shares by their names as texts.

    Dynamo may hold a number that changed as a symbol, which stays one when it is
    formatted. This method makes it a number again, and loses no digit.
    """
    if isinstance(shares, Mapping):
        return {name: float(share).hex() for name, share in shares.items()}
    return float(shares).hex()


def _read(value: Any) -> Any:
    """Return the share or shares of such texts."""
    if isinstance(value, Mapping):
        return {name: float.fromhex(share) for name, share in value.items()}
    return float.fromhex(value)
