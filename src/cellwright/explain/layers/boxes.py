"""The layers of a network as boxes of a picture, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from torch import nn

from cellwright.explain.facts import Layer, Network
from cellwright.explain.facts import Shape as Named
from cellwright.explain.figures.layer_box import AnyBox, Ends, LayerBox, PlainBox
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


def is_chain(facts: Network) -> bool:
    """Whether each layer takes what the one before gives, from input to output."""
    layers = facts.layers
    return (
        bool(layers)
        and layers[0].begins
        and layers[-1].ends
        and all(each.calls == 1 and each.takes and each.gives for each in layers)
        and all(after.follows == before.path for before, after in pairwise(layers))
    )


def boxes_of(module: nn.Module, facts: Network) -> list[AnyBox]:
    """Return the layers of a network from its input to its output, where it is a chain.

    Of another network the recurrent layers alone, where these are a chain by themselves
    or nothing ran; else none.

    Args:
        module: the network.
        facts: of it.
    """
    modules = layers_of(module)
    steps = [each.recurrence.steps for each in facts.layers if each.recurrence]
    if is_chain(facts):
        layers: list[Layer] = list(facts.layers)
    else:
        layers = [layer for layer in facts.layers if layer.recurrence]
        once = all(layer.calls == 1 for layer in layers)
        one_way = all(b.follows == a.path for a, b in pairwise(layers))
        if not (once and one_way) and any(layer.calls for layer in facts.layers):
            return []
    found: list[AnyBox] = []
    for layer in layers:
        made = made_of(modules[layer.path])
        if made is not None:
            found += layer_boxes(made)
        else:
            found.append(_plain(layer, modules[layer.path], steps[:1]))
    return found


def _plain(layer: Layer, module: nn.Module, steps: Sequence[int | None]) -> PlainBox:
    said = ""
    if isinstance(module, nn.Linear):
        said = f"{module.out_features:,} unit{'s' * (module.out_features != 1)}"
    elif isinstance(module, nn.Embedding):
        said = f"{module.num_embeddings:,} × {module.embedding_dim:,}"
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        window = "×".join(map(str, module.kernel_size))
        said = f"{module.out_channels:,} of {window}"
    last = isinstance(module, LastStep)
    takes, gives = layer.takes[0], layer.gives[0]
    timed = [any(a.name == "time" for a in shape) for shape in (takes, gives)]
    ends: Ends = ""
    if steps and timed == [True, False]:
        ends = "last" if last else "all"
    name = "last step" if last else layer.kind
    return PlainBox(name, said, _letters(takes, steps), _letters(gives, steps), ends)


def _letters(shape: Named, steps: Sequence[int | None]) -> str:
    """Return a shape as pictures have it; behind recurrent layers time comes first."""
    letters = {"batch": "B"}
    if any(axis.name == "time" and axis.size in steps for axis in shape):
        letters = {"time": "T", **letters}
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
