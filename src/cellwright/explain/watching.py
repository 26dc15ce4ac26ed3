"""Run a module once and note what each of its layers takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .layers.table import is_layer, is_whole
from .layers.told import Seen, Size


@dataclass
class Watched:
    """What was seen of a module's run.

    Args:
        takes: shapes of its input.
        gives: shapes of its result.
        seen: the first call of every layer that was called, by path, in their order.
        calls: how often each was called.
        follows: for each layer the one whose result it was handed as it is.
    """

    takes: tuple[Size, ...] = ()
    gives: tuple[Size, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    follows: dict[str, str] = field(default_factory=dict)


def layers_of(module: nn.Module) -> dict[str, nn.Module]:
    """Return what is told as a layer each, by path.

    A module with weights of its own and modules inside is one for these weights.
    """
    found: dict[str, nn.Module] = {}
    wholes: list[str] = []
    for path, each in module.named_modules():
        if any(path.startswith(whole) for whole in wholes):
            continue
        if is_layer(each):
            found[path] = each
        if is_whole(each):
            wholes.append(f"{path}." if path else "")
    return found


def watch(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Watched:
    """Run a module in evaluation, without gradients, and note what its layers see.

    Args:
        module: it stays as it is: its modes and buffers are restored.
        args: what it is called with.
        kwargs: likewise.
    """
    found = Watched(takes=shapes((args, kwargs)))
    owners: dict[int, str] = {}
    alive: list[Any] = []
    handles: list[Any] = []

    def note(path: str) -> Any:
        def hook(_: nn.Module, given: Any, named: Any, result: Any) -> Any:
            if any(result is tensor for tensor in tensors((given, named))):
                # Dropout in evaluation hands on what it took: that, too, is its own.
                result = result.view_as(result)
            for tensor in tensors((given, named)):
                if id(tensor) in owners:
                    found.follows.setdefault(path, owners[id(tensor)])
            found.seen.setdefault(path, Seen(shapes((given, named)), shapes(result)))
            found.calls[path] = found.calls.get(path, 0) + 1
            for tensor in tensors(result):
                # An id is another tensor's as soon as its own is gone.
                alive.append(tensor)
                # What a module inside has returned is that one's.
                owners.setdefault(id(tensor), path)
            return result

        return hook

    with in_evaluation(module), torch.no_grad():
        try:
            for path, each in layers_of(module).items():
                hook = note(path)
                handles.append(each.register_forward_hook(hook, with_kwargs=True))
            result = module(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
    found.gives = shapes(result)
    return found


@contextmanager
def in_evaluation(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation, and back into the modes that it was in."""
    modes = {each: each.training for each in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for each, training in modes.items():
            each.training = training


def tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors of arguments or results, however they are nested."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, PackedSequence):
        yield values.data
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from tensors(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors(value)


def shapes(values: Any) -> tuple[Size, ...]:
    """Return the shapes of the tensors of arguments or results."""
    return tuple(tuple(tensor.shape) for tensor in tensors(values))
