"""The facts of a whole network: its layers, what they share, which could be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from cellwright.nn import Recurrent

from .collapses import collapses
from .facts import Axis, Factor, Layer, Network, Shape, Sum, Term
from .facts import Tensor as Held
from .layers.fields import SLIDING, Field, fields
from .layers.table import describe, is_whole
from .layers.told import Seen, Told, guessed, named
from .watching import Watched, layers_of, watch


def network(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    words: str = "",
) -> Network:
    """Return what is true of a module, from one run of it.

    Args:
        module: any; it stays as it is.
        args: what it is called with; without any nothing is run, and what hangs on an
            input is not told.
        kwargs: likewise.
        words: what to call it; its class otherwise.
    """
    named_args = kwargs or {}
    runs = bool(args or named_args)
    seen = watch(module, args, named_args) if runs else Watched()
    modules = layers_of(module)
    order = [*seen.seen, *(path for path in modules if path not in seen.seen)]
    first: dict[int, str] = {}
    hang = fields(modules, seen.seen, seen.follows, seen.calls, seen.begins)
    named_after: dict[str, Shape] = {}
    found: list[Layer] = []
    for path in (path for path in order if path in modules):
        layer = _layer(path, modules[path], seen, first, hang.get(path))
        layer = _with_names(layer, named_after.get(layer.follows or ""))
        named_after |= {path: layer.gives[0]} if layer.gives else {}
        found.append(layer)
    layers = tuple(_named_before(found))
    return Network(
        words or type(module).__name__,
        tuple(_as_taken(shape, layers) for shape in seen.takes),
        tuple(_as_given(shape, layers) for shape in seen.gives),
        layers,
        tuple(collapses(modules, seen)),
    )


def _with_names(layer: Layer, before: Shape | None) -> Layer:
    """Return a layer of rows or values with the names of axes that it was handed."""
    if before is None or not layer.takes or layer.recurrence:
        return layer
    first, given = layer.takes[0], layer.gives[:1]
    if [a.size for a in first] != [a.size for a in before] or not _is_guessed(first):
        return layer
    names = [axis.name for axis in before]
    kept = [
        tuple(map(Axis, names, (axis.size for axis in shape)))
        if len(shape) == len(names) and _is_guessed(shape)
        else shape
        for shape in given
    ]
    return replace(
        layer, takes=(before, *layer.takes[1:]), gives=(*kept, *layer.gives[1:])
    )


def _named_before(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers in front of a recurrent one with the names that it has for axes.

    Which axis is time, a linear layer or a table of vectors does not know.
    """
    found = {layer.path: layer for layer in layers}
    sure = {layer.path for layer in layers if layer.recurrence}
    for layer in reversed(layers):
        before = found.get(layer.follows or "") if layer.follows is not None else None
        if layer.path not in sure or before is None or before.recurrence:
            continue
        gives, takes = found[layer.path].takes[0], before.takes[0]
        sizes = [axis.size for axis in gives]
        rows = [axis.size for axis in takes][: len(gives) - 1]
        if sizes != [axis.size for axis in before.gives[0]] or rows != sizes[:-1]:
            continue
        named_rows = [axis.name for axis in gives][: len(takes)]
        takes = tuple(map(Axis, named_rows, (axis.size for axis in takes)))
        found[before.path] = replace(
            before,
            takes=(takes, *before.takes[1:]),
            gives=(gives, *before.gives[1:]),
        )
        sure.add(before.path)
    return [found[layer.path] for layer in layers]


def _is_guessed(shape: Shape) -> bool:
    return [axis.name for axis in shape] == list(guessed(len(shape)))


def _as_taken(shape: tuple[int, ...], layers: Sequence[Layer]) -> Shape:
    """Return an input with the names that the first layer that takes it has for it."""
    for layer in layers:
        for taken in layer.takes:
            if tuple(axis.size for axis in taken) == shape:
                return taken
    return named(shape, ())


def _as_given(shape: tuple[int, ...], layers: Sequence[Layer]) -> Shape:
    """Return a result with the names that the layer whose it is has for it."""
    for layer in layers:
        for given in layer.gives if layer.ends else ():
            if tuple(axis.size for axis in given) == shape:
                return given
    return named(shape, ())


def _layer(
    path: str,
    module: nn.Module,
    watched: Watched,
    first: dict[int, str],
    field: Field | None,
) -> Layer:
    seen = watched.seen.get(path, Seen())
    told = describe(module, seen)
    # The first window of all is its own field, and behind it stand the values of one.
    wide = field is not None and field.windows > 1 and isinstance(module, SLIDING)
    return Layer(
        path,
        _kind(module),
        repr(module),
        _shapes(seen.takes, told, told.takes),
        _shapes(seen.gives, told, told.gives),
        told.parameters,
        tuple(_tensors(path, module, first)),
        _of_calls(told.multiply_adds, watched.calls.get(path, 0)),
        watched.calls.get(path, 0),
        watched.follows.get(path),
        path in watched.begins,
        path == watched.returned,
        (*told.remarks, *([field.remark()] if field and wide else [])),
        told.recurrence,
    )


def _of_calls(adds: Sum | None, calls: int) -> Sum | None:
    """Return the work of all calls, each of which is as large as the first."""
    if adds is None or calls < 2:
        return adds
    more = Factor(calls, "calls")
    return Sum(tuple(Term((more, *each.factors), each.products) for each in adds.terms))


def _kind(module: nn.Module) -> str:
    """Return a layer's class, of those that run any cell the cell."""
    return module.cell.name if isinstance(module, Recurrent) else type(module).__name__


def _shapes(
    shapes: Sequence[tuple[int, ...]], told: Told, names: Sequence[str]
) -> tuple[Shape, ...]:
    found = [named(shape, names) for shape in shapes[:1]]
    if told.recurrence is None:
        return tuple(found + [named(shape, ()) for shape in shapes[1:]])
    states = ("layers", "batch", "units")
    return tuple(found + [named(shape, states[-len(shape) :]) for shape in shapes[1:]])


def _tensors(path: str, module: nn.Module, first: dict[int, str]) -> Sequence[Held]:
    found: list[Held] = []
    inside = is_whole(module)
    for name, tensor in module.named_parameters("", inside, remove_duplicate=False):
        full = f"{path}.{name}".lstrip(".")
        there = first.setdefault(id(tensor), full)
        same = there if there != full else ""
        found.append(Held(name, tuple(tensor.shape), tensor.requires_grad, same))
    return found
