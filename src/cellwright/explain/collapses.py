"""Layers that could be one, because nothing bends between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from .facts import Collapse
from .watching import Watched

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
PASSING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
"""What hands on what it takes, in evaluation."""


def collapses(modules: Mapping[str, nn.Module], seen: Watched) -> Iterator[Collapse]:
    """Yield chains of linear maps that hand their results on as they are.

    What is called more than once may stand elsewhere the next time, and is left out.

    Args:
        modules: the layers, by path.
        seen: how they ran.
    """
    pairs = ((_before(path, modules, seen), path) for path in seen.follows)
    after = {
        path: next_path
        for path, next_path in pairs
        if path is not None
        and all(seen.calls[each] == 1 for each in (path, next_path))
        and _joins(modules[path], modules[next_path])
    }
    for path in after:
        if path in after.values():
            continue
        chain = [path]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        layers: list[Any] = [modules[each] for each in chain]
        if isinstance(layers[0], nn.Linear):
            widths = [layers[0].in_features, *(each.out_features for each in layers)]
            window: tuple[int, ...] = ()
        else:
            widths = [layers[0].in_channels, *(each.out_channels for each in layers)]
            window = _window(layers)
        yield Collapse(tuple(chain), widths[0], widths[-1], min(widths), window)


def _before(path: str, modules: Mapping[str, nn.Module], seen: Watched) -> str | None:
    """Return what a layer was handed the result of, through those that do nothing."""
    found = seen.follows.get(path)
    while found is not None and isinstance(modules[found], PASSING):
        found = seen.follows.get(found)
    return found


def _joins(first: nn.Module, second: nn.Module) -> bool:
    """Whether two layers are one map of their kind."""
    if isinstance(first, nn.Linear):
        return isinstance(second, nn.Linear)
    # Zeros that are put round the maps in between belong to no single convolution.
    return (
        isinstance(first, CONVOLUTIONS)
        and isinstance(second, type(first))
        and not any(_widths(second.padding))
    )


def _widths(padding: Any) -> tuple[int, ...]:
    if isinstance(padding, str):
        return () if padding == "valid" else (1,)
    return tuple(padding)


def _window(layers: list[Any]) -> tuple[int, ...]:
    """Return the window of the one convolution that several are."""
    sizes: list[int] = []
    for axis in range(len(layers[0].kernel_size)):
        size, stride = 1, 1
        for layer in layers:
            size += (layer.kernel_size[axis] - 1) * layer.dilation[axis] * stride
            stride *= layer.stride[axis]
        sizes.append(size)
    return tuple(sizes)
