"""A forward kernel that takes one step at a time, for streams."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from .forward_run import ForwardRun
from .kernel import block_of


class Stepper:
    """A cell's step, with its weights packed and its memory laid out once for all.

    Args:
        run: the kernel on one step: its weights, inputs ``[1, B, n]`` and first states.
            The inputs are read where they are, at every step.

    Attributes:
        output: ``[1, B, n]`` or ``[1, B]``, written at every step.
        step: takes one; it allocates nothing, and looks at nothing but the inputs.
    """

    def __init__(self, run: ForwardRun):
        functions = run.kernel.stream
        assert functions is not None, "only forward kernels have streams"
        # What a step reads where it lies: the inputs, and the vectors among the
        # weights, which are copies, as theirs is anybody's memory.
        self._inputs = run.inputs
        self._roots = [root.clone() if root.dim() < 2 else root for root in run.roots]
        self._outputs = [run.array(node, 1) for node in run.outputs]
        self._states = run.new_states()
        output = run.outputs.index(run.ahead.schedule.graph.output)
        self.output = self._outputs[output]
        block = block_of(
            run.lengths,
            (run.rows, 0, 1),
            self._roots,
            run.inputs,
            list(zip(run.states, self._states, strict=True)),
            [(output, 0) for output in self._outputs],
        )
        self._slots = array("q", block.slots)
        slots = self._slots.buffer_info()[0]
        # torch's memory begins where vectors may.
        self._memory = torch.empty(functions.size(slots), dtype=torch.uint8)
        memory = self._memory.data_ptr()
        functions.open(slots, memory)
        # The matrices are packed now.
        self._roots = [root for root in self._roots if root.dim() < 2]
        self.step = partial(functions.step, memory)
        self._write_states = partial(functions.states, memory)

    def states(self) -> Sequence[Tensor]:
        """Return the states after the last step, ``[B, n]`` or ``[B]``."""
        self._write_states()
        return [state.clone() for state in self._states]
