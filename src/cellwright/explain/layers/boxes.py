"""The recurrent layers of a network as boxes of a picture, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from cellwright.explain.figures.layer_box import LayerBox
from cellwright.ir.sizes import Shape
from cellwright.nn.layer_sizes import numbers

from .recurrent import Made, made_of, parameters


def made_in(module: nn.Module) -> dict[str, Made]:
    """Return what each recurrent layer of a module is made of, by its name.

    Args:
        module: any; by itself it goes by its class.
    """
    found = {name: made_of(each) for name, each in module.named_modules()}
    return {
        name or type(module).__name__: each
        for name, each in found.items()
        if each is not None
    }


def layer_boxes(made: Made) -> Iterator[LayerBox]:
    """Yield the layers of one module, from the lowest."""
    graph = made.graph
    many = len(made.tails) > 1
    for layer, (sizes, tails) in enumerate(
        zip(made.form.sizes, made.tails, strict=True)
    ):
        states = [(s.name, _said(s.shape, sizes)) for s in graph.states]
        units = sizes.get("hidden_size")
        yield LayerBox(
            f"{made.cell.name} {layer}" if many else made.cell.name,
            tuple((each.name, _said(each.shape, sizes)) for each in graph.inputs),
            _said(graph.output_shape, sizes),
            tuple(states),
            f"{units:,}" if units else states[0][1],
            f"{parameters(made, layer, 0).count:,}",
            len(tails),
        )


def _said(shape: Shape, sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size:,}" for size in numbers(shape, sizes))
