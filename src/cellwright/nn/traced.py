"""A drop-in's call as one node of the graph that torch.compile traces.

Dynamo cannot follow how a cell's text becomes a kernel, and need not: it puts the call
below into its graph as it stands. What traces that graph further sees torch's own
operations and the two operators of `autograd.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwright.backends.reference.interpret import Arguments
from cellwright.cells import load
from cellwright.ir.graph import Graph

from .extras import Extras
from .stack import run_stack
from .torch_weights import TORCH, cell_name, from_packed


@dataclass(frozen=True)
class DropInForm:
    """What a drop-in is, but for its weights; as a text, the fields in their order."""

    mode: str
    input_size: int
    hidden_size: int
    proj_size: int
    num_layers: int
    bias: bool
    bidirectional: bool

    @classmethod
    def read(cls, text: str) -> DropInForm:
        """Return what a text of fields between commas says."""
        mode, *numbers, bias, bidirectional = text.split(",")
        features, units, projected, layers = map(int, numbers)
        flags = bias == "True", bidirectional == "True"
        return cls(mode, features, units, projected, layers, *flags)

    def graph(self) -> Graph:
        """Return the graph of its cell."""
        return load(cell_name(self.mode, self.proj_size)).specialise(self.bias)

    def arguments(
        self, graph: Graph, weights: Mapping[str, Tensor]
    ) -> list[list[Arguments]]:
        """Return for every layer the tensors and sizes of each of its directions."""
        cell = from_packed(TORCH[graph.name], weights)
        directions = ("", "_reverse") if self.bidirectional else ("",)
        width = (self.proj_size or self.hidden_size) * len(directions)
        rows: list[list[Arguments]] = []
        for layer in range(self.num_layers):
            sizes = {
                "input_size": width if layer else self.input_size,
                "hidden_size": self.hidden_size,
                "proj_size": self.proj_size,
            }
            rows.append([])
            for tail in directions:
                suffix = f"_l{layer}{tail}"
                mine = {p.name: cell[p.name + suffix] for p in graph.parameters}
                rows[-1].append(Arguments(sizes, mine, {}))
        return rows


@torch.compiler.allow_in_graph
def run_traced(
    form: str, dropout: float, names: Sequence[str], tensors: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Return the output and the last states of a drop-in.

    Args:
        form: the layer, see `DropInForm.read`.
        dropout: share that is dropped between layers; 0 in evaluation.
        names: of the weights.
        tensors: the input, ``[T, B, I]``, the first states and the weights.
    """
    layer = DropInForm.read(form)
    graph = layer.graph()
    x, *rest = tensors
    count = len(graph.states)
    weights = dict(zip(names, rest[count:], strict=True))
    rows = layer.arguments(graph, weights)
    result = run_stack(graph, rows, x, rest[:count], dropout, Extras(), backend="c")
    return (result.output, *result.states)
