"""A compiled cell on a sequence, as torch's users call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from cellwright.backends.c.errors import TensorError
from cellwright.backends.c.program import Program
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result
from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph
from cellwright.passes.pipeline import Gradients
from cellwright.passes.rooted import rooted

from .differentiable import Forward, is_transformed
from .doors import are_plain
from .kernels import (
    Compiled,
    Forwarded,
    Memory,
    backward_arrays,
    forward_arrays,
    weights_of,
)
from .operators import backward_operator, forward_operator, spec_of
from .packed import Packed


@dataclass(frozen=True)
class Call(Compiled):
    """What one call's functions share that is no tensor.

    Args:
        graph: the cell, for the name of its operators.
        plain: whether nothing traces the call.
    """

    graph: Graph | None = None
    plain: bool = True

    def forward(self, tensors: Sequence[Tensor]) -> Forwarded:
        """Run the forward kernel, by its operator where something traces."""
        if self.plain:
            return forward_arrays(self, tensors)
        found = forward_operator(*self._asked(tensors))
        arrays, states = len(self.out_nodes), self.counts[1]
        behind = len(found) - states
        return Forwarded(found[:arrays], found[arrays:behind], found[behind:])

    @property
    def count(self) -> int:
        """How many inputs, states and weights there are."""
        return sum(self.counts)

    def kept(
        self, tensors: Sequence[Tensor]
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return output, traces and last states, and what the backward kernel reads."""
        arrays, between, last = self.forward(tensors)
        found = [*given_out(self, arrays), *last]
        if self.anew:
            return found, between
        by_node = dict(zip(self.out_nodes, arrays, strict=True))
        return found, [by_node[node] for node in self.saved_nodes]

    def gradients(
        self,
        tensors: Sequence[Tensor],
        arriving: Sequence[Tensor | None],
        _: Sequence[bool],
        /,
    ) -> Sequence[Tensor | None]:
        """Run the backward kernel, by its operator where something looks on."""
        tensors = [*tensors, *_arriving(self, arriving, tensors)]
        if self.plain and are_plain(tensors):
            return [*self.unasked, *backward_arrays(self, tensors)]
        return self.by_operator(tensors)

    def by_operator(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the gradients of inputs, first states and weights, by the operator.

        Args:
            tensors: all that the backward kernel takes, see `kernels`.
        """
        inputs, states, weights, _ = self.split(tensors)
        found = backward_operator(*self._asked(tensors))
        own = len(inputs) + len(states)
        return [*found[:own], *self.weights(found[own:], weights)]

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return output, traces and last states by torch's own operations."""
        inputs, states, weights, _ = self.split(tensors)
        result = self.interpreted(inputs, states, weights)
        return [result.output, *result.traces.values(), *result.states]

    def interpreted(
        self,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
    ) -> Result:
        """Return what the reference gives for weights as kernels take them."""
        ahead = self.program.ahead
        names = [ahead.names[root] for root in ahead.schedule.roots]
        named = dict(zip(names, self.roots(weights).tensors(), strict=True))
        arguments = Arguments(self.sizes, named, {})
        graph = _rooted(self.program)
        return interpret.run(graph, arguments, inputs, states, self.trace)

    def _asked(self, tensors: Sequence[Tensor]) -> tuple[list[Tensor], str, list[int]]:
        """Return what an operator is called with: it takes each root by itself."""
        assert self.graph is not None
        inputs, states, weights, rest = self.split(tensors)
        roots = self.roots(weights).tensors()
        dtype, names = inputs[0].dtype, tuple(self.sizes)
        spec = spec_of(self.graph, self.trace, dtype, names, self.memory)
        return [*inputs, *states, *roots, *rest], spec, list(self.sizes.values())


def call_of(compiled: Program, sizes: Mapping[str, int], *rest: Any) -> Call:
    """Return the one call of these that there is, see `Call` and `Compiled`."""
    return _one_call(compiled, tuple(sizes.items()), *rest)


@lru_cache(maxsize=512)
def _one_call(
    compiled: Program, sizes: tuple[tuple[str, int], ...], *rest: Any
) -> Call:
    return Call(compiled, dict(sizes), *rest)


def run(
    graph: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
    trace: Sequence[str] = (),
    memory: Memory = "store",
) -> Result:
    """Run a graph over a sequence by its kernels; as `interpret.run` in every way.

    Under functorch's transforms (vmap, jvp, jacrev) the reference runs: they see
    through torch's operations only.

    Args:
        graph: as for `interpret.run`, like all but the last.
        arguments: likewise.
        inputs: likewise.
        states: likewise.
        trace: likewise.
        memory: ``"store"`` keeps what the backward pass reads at every step;
            ``"recompute"`` keeps some states, and runs the forward kernel once more.

    Raises:
        TensorError: for a tensor that no kernel can read, and for a constant that a
            gradient is asked of.
    """
    if is_transformed():
        return interpret.run(graph, arguments, inputs, states, trace)
    if torch.is_grad_enabled():
        _refuse_learned_constants(arguments)
    names = tuple(trace)
    x, sizes = inputs[0], arguments.sizes
    plain = are_plain([*inputs, *states, *given_tensors(arguments)])
    if not plain and _is_exporting():
        # An exported program gives no gradients, and runs for any number of steps.
        memory = "store"
    gradients = asked_of(inputs, (*states, *given_tensors(arguments)))
    if gradients != "none":
        # A traced graph's operator gives all of them.
        compiled = program(graph, names, gradients if plain else "all", x.dtype)
        weights, places = weights_of(compiled, arguments, x)
        call = call_of(compiled, sizes, names, memory, places, graph, plain)
        return _result(call, Forward.apply(call, *inputs, *states, *weights))
    if plain:
        # Where no gradient is asked for, the kernel writes nothing to be kept.
        memory = "store"
    # A traced graph has one operator for both cases, the one that keeps more.
    compiled = program(graph, names, "none" if plain else "all", x.dtype)
    weights, places = weights_of(compiled, arguments, x)
    call = call_of(compiled, sizes, names, memory, places, graph, plain)
    found = call.forward([*inputs, *states, *weights])
    return _result(call, (*given_out(call, found.arrays), *found.last))


def asked_of(inputs: Sequence[Tensor], others: Sequence[Tensor]) -> Gradients:
    """Return whose gradients are asked for.

    Args:
        inputs: of a call.
        others: first states and weights.
    """
    if not torch.is_grad_enabled():
        return "none"
    if any(tensor.requires_grad for tensor in inputs):
        return "all"
    return "weights" if any(tensor.requires_grad for tensor in others) else "none"


def given_tensors(arguments: Arguments) -> Sequence[Tensor]:
    """Return the tensors that weights and constants come in."""
    packed = arguments.parameters
    weights = packed.sources if isinstance(packed, Packed) else packed.values()
    return [*weights, *arguments.constants.values()]


def _is_exporting() -> bool:
    # The oldest torch that we run on has no such function.
    return getattr(torch.compiler, "is_exporting", lambda: False)()


def _refuse_learned_constants(arguments: Arguments) -> None:
    for name, value in arguments.constants.items():
        if value.requires_grad:
            raise TensorError(
                f"{name}: a kernel has no gradient of a constant; found one with "
                f"requires_grad\n  fix: declare '{name}' a weight in the cell's file, "
                "or take backend='reference'"
            )


def given_out(call: Call, arrays: Sequence[Tensor]) -> list[Tensor]:
    """Return the output and the traces, each a tensor of its own."""
    ahead = call.program.ahead
    by_node = dict(zip(call.out_nodes, arrays, strict=True))
    nodes = [ahead.schedule.graph.output, *ahead.traced]
    return [
        by_node[node].clone() if node in nodes[:at] else by_node[node]
        for at, node in enumerate(nodes)
    ]


def _result(call: Call, found: Sequence[Tensor]) -> Result:
    output, *rest = found
    traces = dict(zip(call.trace, rest, strict=False))
    return Result(output, tuple(rest[len(traces) :]), traces)


def _arriving(
    call: Call, gradients: Sequence[Tensor | None], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """Return gradients of output, traces and last states, 0 where none came."""
    inputs, states, _, _ = call.split(tensors)
    graph, traced = call.program.ahead.schedule.graph, call.program.ahead.traced
    x, outputs = inputs[0], [graph.output, *traced]
    found: list[Tensor] = []
    for i, gradient in enumerate(gradients):
        if gradient is not None:
            found.append(gradient)
        elif i < len(outputs):
            shape = graph.nodes[outputs[i]].shape
            size = tuple(each.evaluate(call.sizes) for each in shape)
            zero = x.new_zeros((1, 1, *size))
            found.append(zero.expand((*x.shape[:2], *size)))
        else:
            found.append(torch.zeros_like(states[i - len(outputs)]))
    return found


@lru_cache(maxsize=256)
def _rooted(compiled: Program) -> Graph:
    ahead = compiled.ahead
    return rooted(ahead.schedule.graph, ahead.schedule.roots, ahead.names)
