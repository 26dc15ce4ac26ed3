"""All layers of a call as one pass by kernels.

Between one layer's kernel and the next, torch would note a dozen views and sums, and
walk through them on the way back: that takes longer than a small cell does. Here they
are part of the pass, which is written down as a whole and done again for other tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cellwright.backends.c.admit import flat
from cellwright.backends.c.repeat import Repeat
from cellwright.backends.c.slots import resolved
from cellwright.backends.c.tape import Scripts, Tape
from cellwright.ir.graph import Graph

from .doors import are_plain
from .function import Call
from .kernels import apart, backward_pass
from .layout import KeptArray, Layout


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of several.

    Args:
        call: its cell, at its sizes.
        sums: of each tensor that its kernels take for a weight, which of all weights
            are added up to it; none where it hangs on sizes alone.
        fixed: those tensors, by their places.
    """

    call: Call
    sums: Sequence[Sequence[int]]
    fixed: Mapping[int, Tensor]


class Asks(NamedTuple):
    """What is asked of a backward part.

    Args:
        present: which of the results have a gradient.
        states: whether those of the first states are asked for.
    """

    present: tuple[bool, ...]
    states: bool


@dataclass(frozen=True)
class _Torch:
    """Does by torch's own operations what a tape does, where somebody looks on.

    Args:
        like: has the dtype and the device of what is allocated.
    """

    like: Tensor

    def zeros(self, shape: Sequence[int]) -> Tensor:
        """Return zeros of a shape."""
        return self.like.new_zeros(tuple(shape))

    fixed_zeros = zeros

    def hold(self, tensor: Tensor) -> Tensor:
        """Return a tensor."""
        return tensor

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the sum of two tensors."""
        return a + b


@dataclass(frozen=True, eq=False)
class Whole:
    """Layers above one another, each run from the first step to the last.

    It takes the input, the first states and all weights, and returns the uppermost
    cell's output and the last states. These are no views: they may be written to.

    Args:
        layers: of one cell, the lowest first.
        batch_first: whether the input is ``[B, T, n]``, not ``[T, B, n]``.
        count: how many tensors it takes.

    Shape:
        - output: ``[T, B, n]``, or ``[T, B]`` of a scalar.
        - states: ``[L, B, n]``, or ``[L, B]`` of scalars.
    """

    layers: Sequence[Layer]
    batch_first: bool
    count: int
    scripts: Scripts = field(default_factory=Scripts, init=False)

    def again(self, tensors: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """Return what `run` does, if it was written down for tensors of such forms."""
        return self.scripts.again("run", tensors)

    def resting(
        self, tensors: Sequence[Tensor], rests: slice, learns: bool
    ) -> Repeat | None:
        """Return what does the forward part again, see `Scripts.resting`.

        Args:
            tensors: that it was run with.
            rests: where among them are those that do not move.
            learns: whether it keeps what the backward part reads.
        """
        which = "forward" if learns else "run"
        return self.scripts.resting(which, tensors, rests)

    def resting_back(
        self, tensors: Sequence[Tensor], asks: Asks, rests: slice, needs: Sequence[bool]
    ) -> Repeat | None:
        """Return what does the backward part again, see `Scripts.resting`.

        It returns the gradients that are needed, and None for the others.

        Args:
            tensors: that it was run with, kept ones and gradients behind them.
            asks: what was asked of it.
            rests: where among them are those that do not move.
            needs: which of the tensors a gradient is needed of.
        """

        def placed(found: Sequence[Any]) -> list[Any | None]:
            pairs = zip(self.placed(asks, found), needs, strict=True)
            return [each if need else None for each, need in pairs]

        return self.scripts.resting(("backward", asks), tensors, rests, placed)

    def run(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results for tensors that nobody asks a gradient of."""
        own = self._flat(tensors)
        return self.scripts.run("run", own, lambda tape: self._up(tape, own)[0])

    def kept(
        self, tensors: Sequence[Tensor]
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the results, and what the backward pass reads beside the tensors."""
        found = self.scripts.again("forward", tensors)
        if found is None:
            own = self._flat(tensors)

            def up(tape: Tape) -> Sequence[Tensor]:
                results, kept = self._up(tape, own)
                return [*results, *kept]

            found = self.scripts.run("forward", own, up)
        return found[: self.results], found[self.results :]

    @cached_property
    def results(self) -> int:
        """How many results there are: the output and the states."""
        return 1 + len(self._graph.states)

    def gradients(
        self,
        tensors: Sequence[Tensor],
        arriving: Sequence[Tensor | None],
        needs: Sequence[bool],
        /,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the tensors, see `differentiable.Backward`."""
        asks = self.asks(arriving, needs)
        given = [gradient for gradient in arriving if gradient is not None]
        if are_plain((*tensors, *given)):
            found = self._written_down(tensors, asks, given)
        else:
            found = self._down((*tensors, *given), asks, _Torch(tensors[0]))
        return self.placed(asks, found)

    def asks(self, arriving: Sequence[Tensor | None], needs: Sequence[bool]) -> Asks:
        """Return what a backward part hangs on beside the forms of its tensors."""
        present = tuple(gradient is not None for gradient in arriving)
        return Asks(present, any(needs[1 : 1 + len(self._graph.states)]))

    def placed(self, asks: Asks, found: Sequence[Any]) -> Sequence[Any | None]:
        """Return computed gradients as those of all tensors, in their order."""
        unasked = self.layers[0].call.unasked
        if asks.states:
            return [*unasked, *found]
        own, nothing = 1 - len(unasked), [None] * len(self._graph.states)
        return [*unasked, *found[:own], *nothing, *found[own:]]

    def _written_down(
        self, tensors: Sequence[Tensor], asks: Asks, given: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Return what `_down` does, by its script where there is one."""
        key, given = ("backward", asks), [*map(flat, given)]
        found = self.scripts.again(key, (*tensors, *given))
        if found is not None:
            return found
        own = [*self._flat(tensors), *given]
        return self.scripts.run(key, own, partial(self._down, own, asks))

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results by torch's own operations."""
        below, states, weights, _ = self._split(tensors)
        output, last = below, list[tuple[Tensor, ...]]()
        for row, layer in enumerate(self.layers):
            given = _added(_Torch(below), layer, weights)
            first = [state[row] for state in states]
            result = layer.call.interpreted([self._taken(below)], first, given)
            output = result.output
            below = self._given(output)
            last.append(result.states)
        return [output, *map(torch.stack, zip(*last, strict=True))]

    @cached_property
    def _graph(self) -> Graph:
        return self.layers[0].call.program.ahead.schedule.graph

    def _flat(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors, input, states and what was kept as kernels read them.

        What was kept may have been away meanwhile, by torch's hooks of saved tensors.
        """
        states, behind = 1 + len(self._graph.states), self.count
        ahead, kept = tensors[:states], tensors[behind:]
        return [*map(flat, ahead), *tensors[states:behind], *map(flat, kept)]

    def _split(
        self, tensors: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """Return the input, steps first, the states, the weights, and what follows."""
        states = 1 + len(self._graph.states)
        own, behind = tensors[states : self.count], tensors[self.count :]
        return self._turned(tensors[0]), tensors[1:states], own, behind

    def _turned(self, values: Tensor) -> Tensor:
        return values.transpose(0, 1) if self.batch_first else values

    def _taken(self, x: Tensor) -> Tensor:
        """Return a layer's input as its cell takes it: a scalar has no axis."""
        return x if self._graph.inputs[0].shape else x.squeeze(-1)

    def _given(self, output: Tensor) -> Tensor:
        """Return a cell's output as the layer above takes it."""
        scalar = not self._graph.nodes[self._graph.output].shape
        return output.unsqueeze(-1) if scalar else output

    def _up(
        self, tape: Tape, tensors: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the results, and what the backward pass reads."""
        below, states, weights, _ = self._split(tensors)
        last = [tape.empty(state.shape) for state in states]
        layout = self._layout(below)
        kept = [tape.hidden((length,)) for length in layout.lengths]
        arrays = layout.cut(kept)
        output = below
        for row, layer in enumerate(self.layers):
            call = layer.call
            roots = call.roots(_added(tape, layer, weights))
            first, end = ([state[row] for state in each] for each in (states, last))
            own = call.sizes, roots, [self._taken(below)], first, end, arrays[row]
            found, _ = call.program.forward(tape, *own)
            output = dict(zip(call.out_nodes, found, strict=True))[self._graph.output]
            below = self._given(output)
        if self._reads_output:
            kept.append(output)
        return [output, *last], kept

    def _down(
        self, tensors: Sequence[Tensor], asks: Asks, tape: Tape | _Torch
    ) -> Sequence[Tensor]:
        """Return the gradients of the tensors, but for those that nobody asks for.

        Args:
            tensors: what the pass took and kept, and the gradients that arrive.
            asks: which of the results these belong to, and what is asked for.
            tape: does what the pass asks for.
        """
        x, states, weights, behind = self._split(tensors)
        arriving = iter(behind[len(behind) - sum(asks.present) :])
        output, *last = [next(arriving) if there else None for there in asks.present]
        layout, rows = self._layout(x), range(len(self.layers))
        arrays = layout.cut(behind)
        if self._reads_output:
            arrays[-1][self._graph.output] = behind[len(layout.lengths)]
        adjoints = [
            tape.fixed_zeros(state.shape[-1:]).expand(state.shape)
            if gradient is None
            else gradient
            for state, gradient in zip(states, last, strict=True)
        ]
        slope, slopes = self._slope(tape, x, output), list[Tensor]()
        first: list[Sequence[Tensor]] = []
        learned: list[Tensor | None] = [None] * len(weights)
        for row in reversed(rows):
            layer = self.layers[row]
            under = arrays[row - 1][self._graph.output] if row else None
            below = x if under is None else self._given(under)
            given = [self._taken(below), *(state[row] for state in states)]
            given += _added(tape, layer, weights)
            given += [arrays[row][node] for node in layer.call.saved_nodes]
            given += [slope, *(adjoint[row] for adjoint in adjoints)]
            slopes, found = _back_through(layer.call, given, tape)
            if under is not None:
                slope = slopes[0].view(under.shape)
            first.insert(0, found[: len(states)])
            for each, gradient in zip(layer.sums, found[len(states) :], strict=True):
                for i in each:
                    before = learned[i]
                    total = gradient if before is None else tape.add(before, gradient)
                    learned[i] = total
        rest = [
            tape.zeros(weight.shape) if gradient is None else gradient
            for weight, gradient in zip(weights, learned, strict=True)
        ]
        pairs = zip(*first, strict=True) if asks.states else ()
        starts = [_stacked(tape, each) for each in pairs]
        lowest = [self._turned(each.view(x.shape)) for each in slopes]
        return [*lowest, *starts, *_told_apart(tape, rest)]

    @property
    def _reads_output(self) -> bool:
        """Whether the backward pass reads the uppermost cell's output."""
        return self._graph.output in self.layers[-1].call.saved_nodes

    def _layout(self, x: Tensor) -> Layout:
        """Return where lies what is kept of an input, but for what is returned."""
        places: list[KeptArray] = []
        for row, layer in enumerate(self.layers):
            call, output = layer.call, self._graph.output
            nodes = [node for node in call.saved_nodes if node != output]
            if layer is not self.layers[-1]:
                nodes.append(output)
            for node in nodes:
                shape = self._graph.nodes[node].shape
                own = resolved(shape, call.sizes)
                places.append(KeptArray(row, node, (*x.shape[:2], *own)))
        return Layout(len(self.layers), places, x.element_size())

    def _slope(self, tape: Tape | _Torch, x: Tensor, output: Tensor | None) -> Tensor:
        """Return the gradient of the uppermost cell's output, 0 where none came."""
        shape = self._graph.nodes[self._graph.output].shape
        if output is not None:
            return output
        sizes = self.layers[-1].call.sizes
        own = tuple(size.evaluate(sizes) for size in shape)
        return tape.fixed_zeros((1, 1, *own)).expand((*x.shape[:2], *own))


def _added(
    tape: Tape | _Torch, layer: Layer, weights: Sequence[Tensor]
) -> list[Tensor]:
    """Return the weights as a layer's kernels take them."""
    return [
        tape.hold(layer.fixed[place])
        if place in layer.fixed
        else reduce(tape.add, (weights[i] for i in each))
        for place, each in enumerate(layer.sums)
    ]


def _stacked(tape: Tape | _Torch, rows: Sequence[Tensor]) -> Tensor:
    if len(rows) == 1:
        return rows[0].unsqueeze(0)
    if isinstance(tape, _Torch):
        return torch.stack(list(rows))
    found = tape.empty((len(rows), *rows[0].shape))
    for to, row in zip(found, rows, strict=True):
        tape.move(to, row)
    return found


def _back_through(
    call: Call, given: Sequence[Tensor], tape: Tape | _Torch
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the gradient of a layer's input, if it is computed, and the others.

    Who looks on sees an operator, not the memory.
    """
    if isinstance(tape, _Torch):
        slope, *found = call.by_operator(given)
        return [] if call.unasked else [slope], found
    found = list(backward_pass(call, given, tape))
    own = 0 if call.unasked else 1
    return found[:own], found[own:]


def _told_apart(tape: Tape | _Torch, gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return gradients of which no two are one memory, see `apart`."""
    if isinstance(tape, Tape):
        return apart(tape, gradients)
    # Where somebody looks on, nobody knows where numbers lie.
    return [gradient.clone() for gradient in gradients]
