"""A cell's run without a look at what cannot have changed since the last one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from cellwright.backends.c.program import Program
from cellwright.backends.reference.interpret import Arguments
from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph

from .function import Call, Forward, call_of, given_out
from .kernels import Memory, weights_of


class Planned:
    """A cell whose kernels are looked up once for all its runs.

    Args:
        graph: the cell, as it will run.
        dtype: of all tensors.
        memory: what the forward pass keeps for a backward one.
    """

    def __init__(self, graph: Graph, dtype: torch.dtype, memory: Memory):
        self._graph, self._dtype = graph, dtype
        self._memory: Memory = memory

    # Each is built when it is asked for: who only evaluates waits for no backward pass.
    @cached_property
    def _alone(self) -> Program:
        return program(self._graph, (), False, self._dtype)

    @cached_property
    def _learning(self) -> Program:
        return program(self._graph, (), True, self._dtype)

    def run(
        self, arguments: Arguments, inputs: Sequence[Tensor], states: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return the output at every step and the last states, differentiable.

        Args:
            arguments: as for `function.run`, like the rest; whoever calls has seen to
                it that all tensors are plain, that nothing transforms the call, and
                that no constant asks for a gradient.
            inputs: likewise.
            states: likewise.
        """
        if torch.is_grad_enabled():
            call, weights = self.call(True, arguments, inputs[0])
            tensors = (*inputs, *states, *weights)
            if any(tensor.requires_grad for tensor in tensors):
                return Forward.apply(call, *tensors)
        call, weights = self.call(False, arguments, inputs[0])
        found = call.forward([*inputs, *states, *weights])
        return (*given_out(call, found.arrays), *found.last)

    def call(
        self, learns: bool, arguments: Arguments, x: Tensor
    ) -> tuple[Call, Sequence[Tensor]]:
        """Return what runs, and the weights as it takes them.

        Args:
            learns: whether anybody asks for a gradient.
            arguments: as in `run`.
            x: a tensor of the dtype.
        """
        compiled = self._learning if learns else self._alone
        weights, places = weights_of(compiled, arguments, x)
        # Where no gradient is asked for, the kernel writes nothing to be kept.
        memory = self._memory if learns else "store"
        return call_of(
            compiled, arguments.sizes, (), memory, places, self._graph
        ), weights
