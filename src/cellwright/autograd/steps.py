"""A cell's step by its forward kernel, again and again."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cellwright.backends.c.roots import Roots
from cellwright.backends.c.stepper import Stepper
from cellwright.backends.c.tape import Tape
from cellwright.backends.reference.interpret import Arguments
from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph

from .kernels import weights_of


def stepper(
    graph: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
) -> Stepper:
    """Return what runs a graph one step after the other, without gradients.

    Args:
        graph: as for `run`.
        arguments: likewise; the weights are read now, and not again.
        inputs: of one step, ``[1, B, n]`` or ``[1, B]``. Each step reads them anew,
            where they are.
        states: first values, read now.

    Raises:
        TensorError: for a tensor that no kernel can read.
    """
    compiled = program(graph, (), "none", inputs[0].dtype)
    weights, places = weights_of(compiled, arguments, inputs[0])
    roots = Roots(weights, places)
    tape = Tape(inputs[0])
    return compiled.stepper(tape, arguments.sizes, roots, inputs, states)
