"""The layers of a network as boxes of a picture, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from torch import nn

from cellwright.explain.facts import Layer, Network
from cellwright.explain.facts import Shape as Named
from cellwright.explain.figures.layer_box import AnyBox, LayerBox, PlainBox
from cellwright.explain.last_step import LastStep
from cellwright.explain.watching import layers_of
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


def boxes_of(module: nn.Module, facts: Network) -> list[AnyBox]:
    """Return the layers of a network from its input to its output, where it is a chain.

    Of another network, and of one that did not run, the recurrent layers alone.

    Args:
        module: the network.
        facts: of it.
    """
    modules, layers = layers_of(module), facts.layers
    chain = all(b.follows == a.path for a, b in pairwise(layers))
    found: list[AnyBox] = []
    for layer in layers:
        made = made_of(modules[layer.path])
        if made is not None:
            found += layer_boxes(made)
        elif chain and layer.calls == 1 and layer.takes and layer.gives:
            found.append(_plain(layer, modules[layer.path]))
    return found


def _plain(layer: Layer, module: nn.Module) -> PlainBox:
    said = ""
    if isinstance(module, nn.Linear):
        said = f"{module.out_features:,} unit{'s' * (module.out_features != 1)}"
    elif isinstance(module, nn.Embedding):
        said = f"{module.num_embeddings:,} × {module.embedding_dim:,}"
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        window = "×".join(map(str, module.kernel_size))
        said = f"{module.out_channels:,} of {window}"
    ends = isinstance(module, LastStep)
    name = "last step" if ends else layer.kind
    return PlainBox(
        name, said, _letters(layer.takes[0]), _letters(layer.gives[0]), ends
    )


def _letters(shape: Named) -> str:
    """Return a shape as pictures have it, time first, ``[T, B, 300]``."""
    letters = {"time": "T", "batch": "B"}
    sizes = {axis.name: letters.get(axis.name, f"{axis.size:,}") for axis in shape}
    first = [sizes.pop(name) for name in letters if name in sizes]
    return f"[{', '.join([*first, *sizes.values()])}]"


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
