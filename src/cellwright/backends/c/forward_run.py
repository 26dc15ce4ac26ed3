"""A forward kernel on one sequence: whole, in segments, or one segment once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from cellwright.passes.pipeline import Forward

from .admit import Expected, admit, flat, laid_out
from .kernel import Given, Kernel, Lagging, Window
from .roots import Roots
from .segments import boundary_count
from .slots import resolved
from .tape import Tape


class ForwardRun:
    """What a forward kernel runs on.

    Args:
        ahead: the forward step.
        kernel: of it.
        expected: what inputs, states and roots are.
        sizes: every named size.
        roots: of the call.
        tape: does what the run asks for.
        inputs: ``[T, B, n]`` or ``[T, B]``, in the order of the graph.
        states: first values, ``[B, n]`` or ``[B]``.

    Raises:
        TensorError: for a tensor of another dtype, shape or device.
    """

    def __init__(
        self,
        ahead: Forward,
        kernel: Kernel,
        expected: Sequence[Sequence[Expected]],
        sizes: Mapping[str, int],
        roots: Roots,
        tape: Tape,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
    ):
        self.steps, self.rows = inputs[0].shape[:2]
        dtype = inputs[0].dtype
        admit(inputs, expected[0], (self.steps, self.rows), dtype)
        admit(states, expected[1], (self.rows,), dtype)

        tensors = roots.tensors()
        admit(tensors, expected[2], (), dtype)
        self.roots = laid_out(tensors)
        self.ahead = ahead
        self.outputs = ahead.schedule.outputs
        self.states = [flat(state) for state in states]
        self.kernel = kernel
        self._tape = tape
        self._sizes = sizes
        self.lengths = kernel.lengths(sizes)
        self.inputs = [flat(given) for given in inputs]

    def array(self, node: int, steps: int) -> Tensor:
        """Return memory for an output at some steps."""
        shape = self.ahead.schedule.graph.nodes[node].shape
        whole = (steps, self.rows, *resolved(shape, self._sizes))
        seen = node in self.ahead.given_out
        return self._tape.empty(whole) if seen else self._tape.hidden(whole)

    def new_states(self) -> list[Tensor]:
        """Return memory for the states after some step."""
        return [self._tape.empty(state.shape) for state in self.states]

    def walk(
        self,
        span: tuple[int, int],
        first: Sequence[Tensor],
        last: Sequence[Tensor],
        outputs: Sequence[tuple[Tensor, int]],
    ) -> None:
        """Run some steps; the last states and the outputs are filled.

        Args:
            span: the first step and the one behind the last.
            first: states before them.
            last: states after them.
            outputs: an array for each of the schedule's, and the step it begins with.
        """
        states = list(zip(first, last, strict=True))
        own = (self.lengths, (self.rows, *span), self.roots, self.inputs)
        self.kernel.run(self._tape, *own, states, outputs)

    def in_segments(
        self, length: int
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Run all steps, and keep the states between segments alone.

        Args:
            length: steps of a segment.

        Returns:
            The arrays of what is given out, in the order of the schedule, the states
            before each segment but the first, ``[N, B, n]``, and the last states.
        """
        whole = {node: self.array(node, self.steps) for node in self.ahead.given_out}
        # Each segment writes over what the one before it would have kept.
        spare = {
            node: self.array(node, min(length, self.steps))
            for node in self.outputs
            if node not in whole
        }
        count = boundary_count(self.steps, length)
        between = [self._tape.empty((count, *s.shape)) for s in self.states]
        first = last = self.states
        for at, begin in enumerate(range(0, max(1, self.steps), length)):
            inner = at < count
            last = [kept[at] for kept in between] if inner else self.new_states()
            outputs = [
                (whole[node], 0) if node in whole else (spare[node], begin)
                for node in self.outputs
            ]
            span = (begin, min(begin + length, self.steps))
            self.walk(span, first, last, outputs)
            first = last
        return list(whole.values()), between, list(last)


class Segments:
    """What the forward pass would have kept, made again one segment at a time.

    Args:
        run: the forward kernel on the whole sequence.
        between: the states before each segment but the first, as `in_segments` gave
            them.
        length: steps of a segment.
    """

    def __init__(self, run: ForwardRun, between: Sequence[Tensor], length: int):
        self._run = run
        self._between = between
        self._length = length
        self._names = [state.name for state in run.ahead.schedule.graph.states]
        # One step more than a segment has: a state is read one step behind.
        steps = min(length, run.steps) + 1
        self._arrays = {node: run.array(node, steps) for node in run.outputs}
        self._last = run.new_states()
        self._begin = -1
        self._named: Mapping[str, Given] = {}

    def at(self, step: int, /) -> Mapping[str, Given]:
        """Return the values that the backward step reads, of the segment of a step."""
        begin = step // self._length * self._length
        if begin != self._begin:
            self._begin, self._named = begin, self._made(begin)
        return self._named

    def _made(self, begin: int) -> Mapping[str, Given]:
        run, at = self._run, begin // self._length
        first = [kept[at - 1] for kept in self._between] if at else run.states
        arrays = [(self._arrays[node], begin - 1) for node in run.outputs]
        span = (begin, min(begin + self._length, run.steps))
        run.walk(span, first, self._last, arrays)
        found: dict[str, Given] = {}
        for name, node in run.ahead.saved.items():
            array = self._arrays[node]
            if name not in self._names:
                found[name] = Window(array, begin - 1)
                continue
            state = self._names.index(name)
            if at:
                array[0] = first[state]
            found[name] = Lagging(run.states[state], array, begin - 1)
        return found
