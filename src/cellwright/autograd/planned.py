"""A cell's run without a look at what cannot have changed since the last one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cellwright.backends.c.program import Program
from cellwright.backends.reference.interpret import Arguments
from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph
from cellwright.passes.pipeline import Gradients

from .function import Call, Forward, asked_of, call_of, given_out, given_tensors
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
        self._programs: dict[Gradients, Program] = {}

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
        gradients = asked_of(inputs, (*states, *given_tensors(arguments)))
        call, weights = self.call(gradients, arguments, inputs[0])
        if gradients != "none":
            return Forward.apply(call, *inputs, *states, *weights)
        found = call.forward([*inputs, *states, *weights])
        return (*given_out(call, found.arrays), *found.last)

    def call(
        self, gradients: Gradients, arguments: Arguments, x: Tensor
    ) -> tuple[Call, Sequence[Tensor]]:
        """Return what runs, and the weights as it takes them.

        Args:
            gradients: whose are asked for.
            arguments: as in `run`.
            x: a tensor of the dtype.
        """
        compiled = self._compiled(gradients)
        weights, places = weights_of(compiled, arguments, x)
        # Where no gradient is asked for, the kernel writes nothing to be kept.
        memory = "store" if gradients == "none" else self._memory
        return call_of(
            compiled, arguments.sizes, (), memory, places, self._graph
        ), weights

    def _compiled(self, gradients: Gradients) -> Program:
        # Built when it is asked for: who only evaluates waits for no backward pass.
        if gradients not in self._programs:
            own = self._graph, (), gradients, self._dtype
            self._programs[gradients] = program(*own)
        return self._programs[gradients]
