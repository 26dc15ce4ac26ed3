"""A backward kernel on one sequence, from the last chunk of steps to the first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from cellwright.passes.pipeline import Back, Forward

from .admit import flat
from .gradients import Outers
from .kernel import Given, Kernel, Lagging
from .outer_plan import OuterPlan
from .segments import chunk_steps
from .slots import resolved
from .tape import Tape


class Kept(Protocol):
    """What the forward pass made and the backward step reads."""

    def at(self, step: int, /) -> Mapping[str, Given]:
        """Return it by name, for the chunk of a step."""
        ...


class Stored:
    """All of it at every step, as the forward pass stored it.

    Args:
        ahead: the forward step.
        saved: its arrays, by their nodes.
        states: first values.
    """

    def __init__(
        self, ahead: Forward, saved: Mapping[int, Tensor], states: Sequence[Tensor]
    ):
        names = [state.name for state in ahead.schedule.graph.states]
        firsts = dict(zip(names, states, strict=True))
        self._named: Mapping[str, Given] = {
            name: Lagging(firsts[name], saved[node]) if name in firsts else saved[node]
            for name, node in ahead.saved.items()
        }

    def at(self, _: int, /) -> Mapping[str, Given]:
        """Return it by name."""
        return self._named


class BackwardRun:
    """One walk back through a sequence, chunk by chunk.

    Args:
        back: the backward step.
        kernel: of it.
        plan: of its outer products.
        sizes: every named size.
        given: inputs, and gradients of the output and of traces, by the graph's names.
        kept: what the forward pass made.
        like: the cell's first input.
        tape: does what the run asks for.
    """

    def __init__(
        self,
        back: Back,
        kernel: Kernel,
        plan: OuterPlan,
        sizes: Mapping[str, int],
        given: Mapping[str, Tensor],
        kept: Kept,
        like: Tensor,
        tape: Tape,
    ):
        self.back, self.kernel, self.kept, self.tape = back, kernel, kept, tape
        self.plan = plan
        self.schedule = back.schedule
        self.sizes = sizes
        self.steps, self.rows = like.shape[:2]
        self.given = {name: flat(value) for name, value in given.items()}

    def through(
        self, roots: Sequence[Tensor], adjoints: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return gradients by name, and of the first states.

        Args:
            roots: of the backward step, laid out.
            adjoints: gradients of the last states.
        """
        schedule, back = self.schedule, self.back
        chunk = max(1, min(self.steps, chunk_steps(self.rows)))
        whole = {node: self._array(node, self.steps) for node in back.whole}
        layout = self.plan.at(self.sizes)
        outers = Outers(schedule, layout, self.tape, chunk, self.rows)
        sums = self._zeros(layout.sums)
        lengths = self.kernel.lengths(self.sizes)
        carried = [flat(adjoint) for adjoint in adjoints]
        for begin in reversed(range(0, self.steps, chunk)):
            span = (self.rows, begin, min(begin + chunk, self.steps))
            last = [self.tape.empty(adjoint.shape) for adjoint in carried]
            outputs = [
                (whole[node], 0) if node in whole else (outers.arrays[node], begin)
                for node in schedule.outputs
            ]
            states = list(zip(carried, last, strict=True))
            named = {**self.given, **self.kept.at(begin)}
            given = [named[i.name] for i in schedule.graph.inputs]
            self.kernel.run(
                self.tape, lengths, span, roots, given, states, outputs, sums
            )
            outers.add(begin, span[2], whole, named)
            carried = last
        # One node, such as 0, can be both the gradient of an input and of a root.
        summed = dict(zip(schedule.sums, sums, strict=True))
        gradients = {
            name: summed[node] if node in summed else outers.total(node)
            for name, node in back.gradients.items()
            if name not in back.inputs
        }
        gradients |= {
            name: whole[node]
            for name, node in back.gradients.items()
            if name in back.inputs and node in whole
        }
        return gradients, carried

    def _array(self, node: int, steps: int) -> Tensor:
        shape = resolved(self.schedule.graph.nodes[node].shape, self.sizes)
        return self.tape.empty((steps, self.rows, *shape))

    def _zeros(self, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Return zeros for sums, one behind the other in one piece of memory."""
        counts = [math.prod(shape) for shape in shapes]
        parts = self.tape.zeros((sum(counts),)).split(counts)
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
