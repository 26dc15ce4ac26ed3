"""The facts of a whole network: its layers, what they share, which could be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from cellwright.nn import Recurrent

from .facts import Collapse, Layer, Network, Shape
from .facts import Tensor as Held
from .layers.table import describe, is_whole
from .layers.told import Seen, Told, named
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
    layers = tuple(
        _layer(path, modules[path], seen, first) for path in order if path in modules
    )
    return Network(
        words or type(module).__name__,
        tuple(_as_taken(shape, layers) for shape in seen.takes),
        tuple(named(shape, ()) for shape in seen.gives),
        layers,
        tuple(_collapses(modules, seen)),
    )


def _as_taken(shape: tuple[int, ...], layers: Sequence[Layer]) -> Shape:
    """Return an input with the names that the first layer that takes it has for it."""
    for layer in layers:
        for taken in layer.takes:
            if tuple(axis.size for axis in taken) == shape:
                return taken
    return named(shape, ())


def _layer(
    path: str, module: nn.Module, watched: Watched, first: dict[int, str]
) -> Layer:
    seen = watched.seen.get(path, Seen())
    told = describe(module, seen)
    return Layer(
        path,
        _kind(module),
        repr(module),
        _shapes(seen.takes, told, told.takes),
        _shapes(seen.gives, told, told.gives),
        told.parameters,
        tuple(_tensors(path, module, first)),
        told.multiply_adds,
        watched.calls.get(path, 0),
        watched.follows.get(path),
        told.remarks,
        told.recurrence,
    )


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


def _collapses(modules: Mapping[str, nn.Module], seen: Watched) -> Sequence[Collapse]:
    """Return chains of linear layers that hand their results on as they are.

    What is called more than once may stand elsewhere the next time, and is left out.
    """
    after = {
        path: next_path
        for next_path, path in seen.follows.items()
        if all(
            isinstance(modules[each], nn.Linear) and seen.calls[each] == 1
            for each in (path, next_path)
        )
    }
    found: list[Collapse] = []
    for path in after:
        if path in after.values():
            continue
        chain = [path]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        layers: list[Any] = [modules[each] for each in chain]
        widths = [layers[0].in_features, *(each.out_features for each in layers)]
        found.append(Collapse(tuple(chain), widths[0], widths[-1], min(widths)))
    return found
