"""Sizes and inputs with which any cell can run, whatever it declares."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from cellwright.ir.graph import Graph


class Sizes(NamedTuple):
    """What `Recurrent` is given beside the cell."""

    input_size: int
    hidden_size: int
    options: dict[str, Any]

    def known(self) -> dict[str, int]:
        """Return all sizes by their names."""
        own = {"input_size": self.input_size, "hidden_size": self.hidden_size}
        return own | self.options


def sizes_for(graph: Graph, input_size: int, hidden_size: int) -> Sizes:
    """Return sizes for a cell: the given ones where it does not say otherwise.

    A size without a default is half of the hidden size; one by which something is
    divided is the least divisor of it above 1. An input size that the cell derives is
    what it derives.
    """
    half = (hidden_size + 1) // 2
    divisors = [n for n in range(2, hidden_size + 1) if hidden_size % n == 0]
    divided = {name for size in graph.whole for name in size.names}
    options: dict[str, Any] = {}
    for size in graph.sizes:
        if size.derived is None and size.name in divided - {"hidden_size"}:
            options[size.name] = min([*divisors, hidden_size])
        elif size.derived is None and size.default is None:
            options[size.name] = half
    known: dict[str, int] = {"hidden_size": hidden_size, **options}
    for size in graph.sizes:
        if size.name == "input_size" and size.derived is not None:
            input_size = size.derived.evaluate(known)
    return Sizes(input_size, hidden_size, options)


def further_inputs(
    graph: Graph, steps: int, batch: int, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Return what a cell's further inputs are called with: scalars such as a time."""
    draws = torch.Generator().manual_seed(steps + batch)
    for row in graph.inputs[1:]:
        assert not row.shape, f"{graph.name}: {row.name} has no row here"
    return {
        row.name: torch.rand((steps, batch), generator=draws, dtype=dtype)
        for row in graph.inputs[1:]
    }


def stacks(graph: Graph, hidden_size: int, directions: int = 1) -> bool:
    """Whether a layer of the cell can see another one: it takes what that puts out."""
    (output,) = graph.output_shape
    sizes = sizes_for(graph, 3, hidden_size)
    width = directions * output.evaluate(sizes.known())
    return sizes_for(graph, width, hidden_size).input_size == width
