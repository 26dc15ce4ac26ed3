"""Leave a module as it was, whatever runs in between: values, hooks, chance."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Containers = dict | list | set | deque


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put a module back to what it was when the block ends, also by an error.

    That is every attribute of it and of the modules in it, what lists and dictionaries
    among them hold, all parameters and buffers with their gradients, and the random
    numbers of torch, Python and NumPy.

    Args:
        module: any.
    """
    kept = [_Attributes(each) for each in module.modules()]
    tensors = {id(v): _Values(v) for each in kept for v in each.tensors()}
    with _same_chance(module):
        try:
            yield
        finally:
            for each in kept:
                each.restore()
            with torch.no_grad():
                for value in tensors.values():
                    value.restore()


class _Attributes:
    """A module's attributes, and what the containers among them hold."""

    def __init__(self, module: nn.Module):
        self._module = module
        self._own = dict(vars(module))
        held = [v for v in self._own.values() if isinstance(v, Containers)]
        self._held = [(value, value.copy()) for value in held]

    def tensors(self) -> Iterator[Tensor]:
        """Walk over the tensors among them, and one level below."""
        values: list[Any] = list(self._own.values())
        for value in values:
            inner = value.values() if isinstance(value, dict) else value
            nested = isinstance(value, Containers | tuple)
            yield from (v for v in (inner if nested else [value]) if _is_plain(v))

    def restore(self) -> None:
        """Put them back, each container as the object that it was."""
        vars(self._module).clear()
        vars(self._module).update(self._own)
        for value, copy in self._held:
            value.clear()
            if isinstance(value, dict | set):
                value.update(copy)
            else:
                value.extend(copy)


class _Values:
    """A tensor's numbers and its gradient's."""

    def __init__(self, tensor: Tensor):
        self._tensor = tensor
        self._copy = tensor.detach().clone()
        # A tensor inside of a graph has none, and warns when it is asked.
        self._grad = tensor.grad if tensor.is_leaf else None
        self._grad_of = None if self._grad is None else _Values(self._grad)

    def restore(self) -> None:
        """Put them back where they are others.

        Writing all would break graphs of the caller's that hold the tensor. And torch's
        count of changes does not tell: a batch norm changes its means past it.
        """
        one, other = self._tensor.detach(), self._copy
        same = (one == other) | (one.isnan() & other.isnan())
        if not bool(same.all()):
            self._tensor.copy_(self._copy)
        if self._tensor.is_leaf and self._tensor.grad is not self._grad:
            self._tensor.grad = self._grad
        if self._grad_of is not None:
            self._grad_of.restore()


def _is_plain(value: object) -> bool:
    # A tensor of inference mode cannot be written outside of it.
    return isinstance(value, Tensor) and not value.is_inference()


@contextmanager
def _same_chance(module: nn.Module) -> Iterator[None]:
    devices = {p.device for p in (*module.parameters(), *module.buffers())}
    cuda = [device for device in devices if device.type == "cuda"]
    # A forward may draw from any of the three: teacher forcing often asks Python.
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(cuda):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
