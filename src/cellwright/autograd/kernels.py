"""A compiled cell's two kernels on plain lists of tensors, in one fixed order.

Inputs, first states and weights come first, then, for the backward one, what the
forward one kept, and the gradients that arrive: of the output, of traces, of the last
states. What is kept is arrays of all steps (``memory="store"``) or the states between
segments (``"recompute"``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, Literal, NamedTuple, TypeVar

from torch import Tensor

from cellwright.backends.c.admit import flat
from cellwright.backends.c.program import Program
from cellwright.backends.c.roots import Place, Roots
from cellwright.backends.c.segments import boundary_count
from cellwright.backends.c.tape import Tape
from cellwright.backends.reference.interpret import Arguments, Weights
from cellwright.ir.graph import reachable
from cellwright.passes.differentiate import OUTPUT

from .packed import Packed, together

Gradient = TypeVar("Gradient", bound=Tensor | None)

Memory = Literal["store", "recompute"]
"""What a forward pass keeps for the backward one."""


class Forwarded(NamedTuple):
    """What a forward kernel leaves.

    Args:
        arrays: of `Compiled.out_nodes`, ``[T, B, ...]``.
        between: the states between segments, ``[N, B, ...]``; none for ``"store"``.
        last: the last states.
    """

    arrays: Sequence[Tensor]
    between: Sequence[Tensor]
    last: Sequence[Tensor]


@dataclass(frozen=True)
class Compiled:
    """A compiled cell at given sizes.

    Args:
        program: its kernels.
        sizes: every named size.
        trace: names of the values that it gives out.
        memory: what the forward pass keeps.
        places: where the roots lie, if they come packed; None if each comes by itself.
    """

    program: Program
    sizes: Mapping[str, int]
    trace: tuple[str, ...]
    memory: Memory
    places: tuple[Place, ...] | None = None

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What a pass hangs on beside its tensors."""
        return self.trace, self.places, *self.sizes.items()

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of inputs, states and weights: roots, or what they are packed in."""
        schedule = self.program.ahead.schedule
        graph = schedule.graph
        weights = len(schedule.roots)
        if self.places is not None:
            weights = 1 + max(which for which, _, _ in self.places)
        return len(graph.inputs), len(graph.states), weights

    def roots(self, weights: Sequence[Tensor]) -> Roots:
        """Return the roots from the weights as they come."""
        return Roots(weights, self.places)

    def weights(
        self,
        gradients: Sequence[Gradient],
        weights: Sequence[Tensor],
        tape: Tape | None = None,
    ) -> Sequence[Gradient | Tensor]:
        """Return the gradients of the weights as they come, from those of the roots."""
        if self.places is None:
            return gradients
        return together(gradients, self.places, weights, tape)

    @cached_property
    def unasked(self) -> list[None]:
        """None for every input, if their gradients are not computed."""
        return [] if self.program.slopes else [None] * self.counts[0]

    @cached_property
    def anew(self) -> bool:
        """Whether the backward pass runs the forward kernel once more."""
        return self.memory == "recompute"

    @cached_property
    def out_nodes(self) -> list[int]:
        """The outputs whose arrays leave the forward kernel, in their order."""
        ahead = self.program.ahead
        return ahead.given_out if self.anew else list(ahead.schedule.outputs)

    @cached_property
    def saved_nodes(self) -> list[int]:
        """The outputs that the backward kernel reads, in the order of the outputs."""
        ahead = self.program.ahead
        needed = set(ahead.saved.values())
        return [node for node in ahead.schedule.outputs if node in needed]

    def split(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], ...]:
        """Return inputs, states, weights, and what comes behind."""
        inputs, states, weights = self.counts
        a, b, c = inputs, inputs + states, inputs + states + weights
        return tensors[:a], tensors[a:b], tensors[b:c], tensors[c:]


def forward_shapes(compiled: Compiled, tensors: Sequence[Tensor]) -> Forwarded:
    """Return memory of the shapes that `forward_arrays` returns, without values."""
    inputs, states, _, _ = compiled.split(tensors)
    x, program = inputs[0], compiled.program
    steps, rows = x.shape[:2]
    nodes = program.ahead.schedule.graph.nodes
    shapes = [
        tuple(size.evaluate(compiled.sizes) for size in nodes[node].shape)
        for node in compiled.out_nodes
    ]
    arrays = [x.new_empty((steps, rows, *shape)) for shape in shapes]
    between: list[Tensor] = []
    if compiled.anew:
        count = boundary_count(steps, program.segment(compiled.sizes, steps, rows))
        between = [state.new_empty((count, *state.shape)) for state in states]
    return Forwarded(arrays, between, [s.new_empty(s.shape) for s in states])


def forward_arrays(compiled: Compiled, tensors: Sequence[Tensor]) -> Forwarded:
    """Run the forward kernel."""
    inputs, states, weights, _ = compiled.split(tensors)
    inputs, states = [*map(flat, inputs)], [*map(flat, states)]
    program, given = compiled.program, [*inputs, *states, *weights]
    own = compiled.sizes, compiled.roots(weights), inputs, states
    if compiled.anew:
        return Forwarded(*program.forward_in_segments(Tape(inputs[0]), *own))

    def run(tape: Tape) -> list[Tensor]:
        arrays, last = program.forward(tape, *own)
        return [*arrays, *last]

    found = program.scripts.run(("forward", compiled.key), given, run)
    behind = len(found) - len(states)
    return Forwarded(found[:behind], [], found[behind:])


def backward_arrays(compiled: Compiled, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the gradients of inputs, first states and weights, see `backward_pass`."""
    inputs, states, weights, rest = compiled.split(tensors)
    given = [*map(flat, (*inputs, *states)), *weights, *map(flat, rest)]
    run = partial(backward_pass, compiled, given)
    if compiled.anew:
        return run(Tape(given[0]))
    return compiled.program.scripts.run(("backward", compiled.key), given, run)


def backward_pass(
    compiled: Compiled, given: Sequence[Tensor], tape: Tape
) -> Sequence[Tensor]:
    """Return the gradients of inputs, if they are computed, first states and weights.

    Args:
        compiled: whose backward kernel runs.
        given: all that it takes, in the order of this module's first lines.
        tape: does what the pass asks for.
    """
    inputs, states, weights, rest = compiled.split(given)
    program, ahead = compiled.program, compiled.program.ahead
    nodes = compiled.saved_nodes
    kept = len(states) if compiled.anew else len(nodes)
    output, *more = rest[kept:]
    names = [OUTPUT, *(f"d.{name}" for name in compiled.trace)]
    arriving = dict(zip(names, [output, *more], strict=False))
    last = more[len(compiled.trace) :]
    own = compiled.sizes, compiled.roots(weights), inputs, states
    if compiled.anew:
        run = program.backward_in_segments
        found, first = run(tape, *own, rest[:kept], arriving, last)
    else:
        saved = dict(zip(nodes, rest, strict=False))
        found, first = program.backward(tape, *own, saved, arriving, last)
    asked = ahead.schedule.graph.inputs if program.slopes else ()
    slopes = [found.get(i.name) for i in asked]
    roots = [found.get(ahead.names[root]) for root in ahead.schedule.roots]
    learned = compiled.weights(roots, weights, tape)
    theirs = given[len(compiled.unasked) :]
    pairs = zip(theirs, [*slopes, *first, *learned], strict=False)
    return apart(tape, [tape.zeros(t.shape) if g is None else g for t, g in pairs])


def apart(tape: Tape, gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return gradients of which no two are one memory.

    Two names may have one gradient, as two biases that are added; torch adds to what
    it was given, or scales it, and would do so twice.

    Args:
        tape: copies those that share it.
        gradients: as they were computed.
    """
    seen: set[int] = set()
    found: list[Tensor] = []
    for gradient in gradients:
        if gradient.numel() and gradient.data_ptr() in seen:
            own = tape.empty(gradient.shape)
            tape.move(own, gradient)
            found.append(own)
        else:
            seen.add(gradient.data_ptr())
            found.append(gradient)
    return found


def weights_of(
    compiled: Program, arguments: Arguments, x: Tensor
) -> tuple[Sequence[Tensor], tuple[Place, ...] | None]:
    """Return the roots, or what they are packed in, and their places there."""
    packed = arguments.parameters
    if isinstance(packed, Packed):
        places = _places(compiled, tuple(packed.places.items()))
        if places is not None:
            return packed.sources, places
    return _roots(compiled).values(arguments, x), None


def fixed_roots(
    compiled: Program, sizes: Mapping[str, int], like: Tensor
) -> dict[int, Tensor]:
    """Return the roots that hang on sizes alone, by their places among all roots.

    Args:
        compiled: whose roots they are.
        sizes: every named size.
        like: has their dtype and device.
    """
    schedule = compiled.ahead.schedule
    nodes, given = schedule.graph.nodes, ("parameter", "constant")
    found = {
        i: root
        for i, root in enumerate(schedule.roots)
        if all(nodes[n].op not in given for n in reachable(nodes, {root}))
    }
    weights = Weights(schedule.graph, list(found.values()))
    values = weights.values(Arguments(sizes, {}, {}), like)
    return dict(zip(found, values, strict=True))


@lru_cache(maxsize=256)
def _places(
    compiled: Program, known: tuple[tuple[str, Place], ...]
) -> tuple[Place, ...] | None:
    """Return the places of the roots, None if these are not all of the parameters."""
    schedule = compiled.ahead.schedule
    nodes = [schedule.graph.nodes[root] for root in schedule.roots]
    own = {str(node.attr) for node in nodes if node.op == "parameter"}
    if len(own) < len(nodes) or own != dict(known).keys():
        return None
    return tuple(dict(known)[str(node.attr)] for node in nodes)


@lru_cache(maxsize=256)
def _roots(compiled: Program) -> Weights:
    schedule = compiled.ahead.schedule
    return Weights(schedule.graph, schedule.roots)
