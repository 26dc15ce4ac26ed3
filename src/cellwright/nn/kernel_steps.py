"""The steps of a stream of one layer by its kernels, with no torch in between.

A call of a layer costs a hundred times what a step of a small cell does. So where a
stream is one layer on kernels, and goes on with the same rows, its weights are packed
once, and a step is: the input is copied to its place, a compiled function runs a layer
after the other, the output is copied from its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules import module
from torch.optim.optimizer import register_optimizer_step_post_hook

from cellwright.autograd import are_plain, stepper
from cellwright.backends.c.stepper import Stepper
from cellwright.backends.c.threads import Process

from .dropins import GRU, LSTM, RNN
from .recurrent import Recurrent
from .regularise import may_zone_out
from .snapshot import Snapshot

Array = npt.NDArray[Any]
Steps = Recurrent | LSTM | GRU | RNN

FLOATS = frozenset(np.dtype(name) for name in ("float16", "float32", "float64"))
"""Arrays that are brought to the layer's dtype; whole numbers stand for tokens."""


class KernelSteps:
    """A layer's next steps, for the rows that its states have.

    Make it by `kernel_steps`.

    Args:
        layer: whose steps they are.
        steppers: of its layers, each reading the output of the one before.
        x: the input of the lowest, ``[1, B, I]``.
        output: of the uppermost, ``[1, B, O]``.
    """

    def __init__(
        self, layer: Steps, steppers: list[Stepper], x: Tensor, output: Tensor
    ):
        self._steppers = steppers
        self._run = [each.step for each in steppers]
        self._x, self._x_array = x[0], x[0].numpy()
        self._output = output[0].numpy()
        self._dtype, rows = x.dtype, self._x_array.shape
        self._shapes = (rows, rows[1:]) if rows[0] == 1 else (rows,)
        self._layer, self._snapshot = layer, Snapshot(layer)
        self._parameters = tuple(layer._parameters.values())
        self._buffers = tuple(layer._buffers.values())
        self._weights = [
            w for w in (*self._parameters, *self._buffers) if w is not None
        ]
        self._versions = [weight._version for weight in self._weights]
        self._address = self._weights[0].data_ptr()
        self._optimised = _Optimisers.steps
        self._hooks = _hooks(layer)
        self._forked = Process.forked

    def step(self, x: Any) -> Any:
        """Take a step, and return its output.

        It is None, and nothing has happened, where a call of the layer could do
        something else than the kernels that this was made of: the input is not what
        they read, or the layer, one of its weights or its settings have changed.

        Args:
            x: a tensor or an array.

        Returns:
            The same of the two as x.

        Shape:
            - x: ``[B, I]``, or ``[I]`` of one row.
            - output: ``[B, O]``, or ``[O]``.
        """
        kind = type(x)
        if kind is np.ndarray:
            known = x.dtype in FLOATS
        else:
            known = kind is Tensor and x.dtype is self._dtype and x.is_cpu
            known = known and x.layout is torch.strided
        if not (known and x.shape in self._shapes and self._is_current()):
            return None
        if kind is Tensor:
            self._x.copy_(x.detach() if x.requires_grad else x)
        else:
            self._x_array[...] = x
        for run in self._run:
            run()
        found = (self._output if x.ndim > 1 else self._output[0]).copy()
        return torch.from_numpy(found) if kind is Tensor else found

    def states(self) -> tuple[Tensor, ...]:
        """Return the states after the last step, ``[L, B, n]`` each."""
        layers = [each.states() for each in self._steppers]
        return tuple(torch.stack(rows) for rows in zip(*layers, strict=True))

    def _is_current(self) -> bool:
        """Whether the layer is what it was, as far as torch counts changes."""
        parameters, buffers = self._layer._parameters, self._layer._buffers
        return (
            self._versions == [weight._version for weight in self._weights]
            and len(parameters) == len(self._parameters)
            and all(map(is_, self._parameters, parameters.values()))
            and len(buffers) == len(self._buffers)
            and all(map(is_, self._buffers, buffers.values()))
            and self._address == self._weights[0].data_ptr()
            and self._optimised == _Optimisers.steps
            and self._snapshot.holds(self._layer)
            and not any(self._hooks)
            and self._forked is Process.forked
        )


class _Optimisers:
    """How many steps optimisers have taken: torch does not count what a fused one does.

    They are counted from the first stream on.
    """

    steps = 0
    counted = False


def _count_step(*_: object) -> None:
    _Optimisers.steps += 1


def kernel_steps(model: nn.Module, states: tuple[Tensor, ...]) -> KernelSteps | None:
    """Return how a layer's stream goes on by kernels alone; None where it cannot.

    Args:
        model: what is streamed; only a layer itself can, of ours, on kernels, without
            zoneout, hooks and further inputs.
        states: to go on from, ``[L, B, n]`` each.
    """
    if type(model) not in (Recurrent, LSTM, GRU, RNN):
        return None
    layer = cast("Steps", model)
    found = layer._step_form()
    own = layer.__dict__
    if found is None or any(_hooks(layer)) or "forward" in own or may_zone_out(layer):
        return None
    form, weights = found
    graph, *further = form.graph, *form.graph.inputs[1:]
    tensors = [*weights.values(), *states]
    if further or not are_plain(tensors) or not states[0].numel():
        return None
    if any(map(Tensor.is_inference, weights.values())):
        # Nobody counts their changes.
        return None
    like = next(iter(weights.values()))
    width = form.sizes[0]["input_size"]
    x = below = torch.zeros((1, states[0].shape[1], width), dtype=like.dtype)
    steppers: list[Stepper] = []
    for row, (arguments,) in enumerate(form.arguments(weights)):
        given = below if graph.inputs[0].shape else below.squeeze(-1)
        first = [state[row] for state in states]
        steppers.append(stepper(graph, arguments, [given], first))
        below = steppers[-1].output
        if not graph.output_shape:
            below = below.unsqueeze(-1)
    if not _Optimisers.counted:
        _Optimisers.counted = True
        register_optimizer_step_post_hook(_count_step)
    return KernelSteps(layer, steppers, x, below)


def _hooks(layer: nn.Module) -> tuple[Mapping[int, Any], ...]:
    """Return what a call of a layer runs before and behind its forward."""
    own = layer._forward_pre_hooks, layer._forward_hooks
    return (*own, module._global_forward_pre_hooks, module._global_forward_hooks)
