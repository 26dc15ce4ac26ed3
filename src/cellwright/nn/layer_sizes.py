"""Sizes of layers on top of one another, each as wide as the one below puts out."""

from __future__ import annotations

from collections.abc import Mapping

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell

from .errors import OptionError
from .options import resolve_sizes


def sizes_of_layers(
    cell: Cell,
    graph: Graph,
    lengths: tuple[int, int],
    given: Mapping[str, int],
    num_layers: int,
    directions: int,
) -> list[dict[str, int]]:
    """Return every named size as a whole number, for each layer.

    Args:
        cell: the cell.
        graph: its graph, with this layer's counts and biases.
        lengths: input_size of the lowest layer, and hidden_size.
        given: the cell's own sizes by name.
        num_layers: how many layers.
        directions: 2 where each layer puts out two outputs side by side.

    Raises:
        OptionError: for sizes that do not go together.
    """
    input_size, hidden_size = lengths
    sizes = [resolve_sizes(cell, graph, input_size, hidden_size, given)]
    shape = numbers(graph.output_shape, sizes[0])
    below = (shape[0] if shape else 1) * directions
    sizes += [
        resolve_sizes(cell, graph, below, hidden_size, given)
        for _ in range(1, num_layers)
    ]
    for layer, each in enumerate(sizes):
        _check_first_input(cell, graph, layer, each)
    for state in graph.states:
        shapes = {numbers(state.shape, each) for each in sizes}
        if len(shapes) > 1:
            listed = " and ".join(str(list(s)) for s in sorted(shapes))
            raise OptionError(
                f"{cell.name}: the state {state.name} is {listed} in different "
                "layers; give each layer its own Recurrent"
            )
    return sizes


def numbers(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return a shape as whole numbers."""
    return tuple(size.evaluate(sizes) for size in shape)


def _check_first_input(
    cell: Cell, graph: Graph, layer: int, sizes: Mapping[str, int]
) -> None:
    """Raise OptionError unless a layer's input is as wide as the cell declares."""
    first = graph.inputs[0]
    shape = numbers(first.shape, sizes)
    expected = shape[0] if shape else 1
    if sizes["input_size"] == expected:
        return
    declared = f"[{first.shape[0]}]" if shape else "a scalar"
    below = f"the layer below puts out {sizes['input_size']}"
    got = f"got input_size={sizes['input_size']}" if layer == 0 else below
    raise OptionError(
        f"{cell.name}: the input {first.name} is {declared}, so layer {layer} "
        f"takes {expected} features; {got}"
    )
