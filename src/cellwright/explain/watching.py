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
        begins: layers that were handed an input of the module as it is.
        returned: the layer whose result the module returned as it is, if any.
    """

    takes: tuple[Size, ...] = ()
    gives: tuple[Size, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    follows: dict[str, str] = field(default_factory=dict)
    begins: set[str] = field(default_factory=set)
    returned: str | None = None


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
    notes = _Notes(found, {_mark(each) for each in tensors((args, kwargs))})
    handles: list[Any] = []
    with in_evaluation(module), _same_buffers(module), torch.no_grad():
        try:
            for path, each in layers_of(module).items():
                before, after = notes.before(path), notes.after(path)
                handles.append(each.register_forward_pre_hook(before, with_kwargs=True))
                handles.append(each.register_forward_hook(after, with_kwargs=True))
            result = module(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
    found.gives = shapes(result)
    found.returned = notes.owners.get(_mark(next(tensors(result), None)))
    return found


Mark = tuple[int, int]
"""A tensor, and how often it was written to: what changes it in place makes another."""


def _mark(tensor: Tensor | None) -> Mark:
    if tensor is None:
        return (0, 0)
    return id(tensor), 0 if tensor.is_inference() else tensor._version


@dataclass
class _Notes:
    """What hooks note while a module runs.

    Args:
        found: where they note it.
        given: what the module was called with.
        owners: whose result each tensor is.
        alive: all of them: an id is another tensor's as soon as its own is gone.
    """

    found: Watched
    given: set[Mark]
    owners: dict[Mark, str] = field(default_factory=dict)
    alive: list[Tensor] = field(default_factory=list)

    def before(self, path: str) -> Any:
        """Return a hook that notes what a layer is handed, as it is then."""

        def hook(_: nn.Module, given: Any, named: Any) -> None:
            marks = [_mark(tensor) for tensor in tensors((given, named))]
            for mark in marks:
                if mark in self.owners:
                    self.found.follows.setdefault(path, self.owners[mark])
            if marks and marks[0] in self.given:
                self.found.begins.add(path)

        return hook

    def after(self, path: str) -> Any:
        """Return a hook that notes what a layer gave."""

        def hook(_: nn.Module, given: Any, named: Any, result: Any) -> Any:
            if any(result is tensor for tensor in tensors((given, named))):
                # Dropout in evaluation hands on what it took: that, too, is its own.
                result = result.view_as(result)
            seen = Seen(shapes((given, named)), shapes(result))
            self.found.seen.setdefault(path, seen)
            self.found.calls[path] = self.found.calls.get(path, 0) + 1
            for tensor in tensors(result):
                self.alive.append(tensor)
                # What a module inside has returned is that one's.
                self.owners.setdefault(_mark(tensor), path)
            return result

        return hook


@contextmanager
def _same_buffers(module: nn.Module) -> Iterator[None]:
    """Put back what buffers hold, which a module may count in."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, values in kept:
            buffer.copy_(values)


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
