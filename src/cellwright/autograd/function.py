"""A compiled cell as a function that torch can differentiate.

The forward and the backward kernel stand in one `autograd.Function` each. The backward
one's own gradient is the reference's, so second derivatives are exact and cost nothing
until somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import _C, Tensor
from torch._C import _functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch.autograd import forward_ad

from cellwright.backends.c.errors import TensorError
from cellwright.backends.c.program import Program
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result
from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph
from cellwright.passes.rooted import rooted

from .autocast import without_autocast
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

    def backward(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Run the backward kernel, likewise: something may have come to look on."""
        if self.plain and are_plain(tensors):
            return backward_arrays(self, tensors)
        inputs, states, weights, _ = self.split(tensors)
        found = backward_operator(*self._asked(tensors))
        own = len(inputs) + len(states)
        return [*found[:own], *self.weights(found[own:], weights)]

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
    plain = are_plain([*inputs, *states, *_given(arguments)])
    if not plain and _is_exporting():
        # An exported program gives no gradients, and runs for any number of steps.
        memory = "store"
    if torch.is_grad_enabled():
        compiled = program(graph, names, True, x.dtype)
        weights, places = weights_of(compiled, arguments, x)
        tensors = (*inputs, *states, *weights)
        if any(t.requires_grad for t in tensors):
            call = call_of(compiled, sizes, names, memory, places, graph, plain)
            return _result(call, Forward.apply(call, *tensors))
    if plain:
        # Where no gradient is asked for, the kernel writes nothing to be kept.
        memory = "store"
    # A traced graph has one operator for both cases, the one that keeps more.
    compiled = program(graph, names, not plain, x.dtype)
    weights, places = weights_of(compiled, arguments, x)
    call = call_of(compiled, sizes, names, memory, places, graph, plain)
    found = call.forward([*inputs, *states, *weights])
    return _result(call, (*given_out(call, found.arrays), *found.last))


def _given(arguments: Arguments) -> Sequence[Tensor]:
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


def is_transformed() -> bool:
    """Whether functorch or forward-mode differentiation is under way."""
    stack = _functorch.peek_interpreter_stack()
    return stack is not None or forward_ad._current_level >= 0


def _has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has numbers of its own; one of ``is_grads_batched`` has not."""
    return _C._has_storage(tensor)


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


class Forward(torch.autograd.Function):
    """The forward kernel; returns the output, the traces and the last states."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the forward kernel, and keep what the backward one reads."""
        arrays, between, last = call.forward(tensors)
        kept = between
        if not call.anew:
            by_node = dict(zip(call.out_nodes, arrays, strict=True))
            kept = [by_node[node] for node in call.saved_nodes]
        ctx.call = call
        ctx.save_for_backward(*tensors, *kept)
        ctx.set_materialize_grads(False)
        return (*given_out(call, arrays), *last)

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the backward kernel, or what stands in for it."""
        needs = tuple(ctx.needs_input_grad[1:])
        present = tuple(gradient is not None for gradient in arriving)
        given = [gradient for gradient in arriving if gradient is not None]
        if is_transformed() or not all(map(_has_memory, given)):
            with torch.enable_grad():
                own = [_apart(tensor) for tensor in ctx.saved_tensors]
            return (None, *_by_reference(ctx.call, own, needs, present, given))
        tensors = (*ctx.saved_tensors, *given)
        if torch.is_grad_enabled():
            found = _Backward.apply(ctx.call, needs, present, *tensors)
        else:
            found = _gradients_of(ctx.call, needs, present, tensors)
        gradients = iter(found)
        return (None, *(next(gradients) if need else None for need in needs))


class _Backward(torch.autograd.Function):
    """The backward kernel; returns the gradients that are needed, in their order."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        needs: tuple[bool, ...],
        present: tuple[bool, ...],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.call, ctx.needs, ctx.present = call, needs, present
        ctx.save_for_backward(*tensors)
        return _gradients_of(call, needs, present, tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        count = sum(ctx.call.counts)
        given = list(tensors[len(tensors) - sum(ctx.present) :])
        with torch.enable_grad():
            own = [
                _apart(t) if t.requires_grad else t.detach().requires_grad_(need)
                for t, need in zip(tensors[:count], ctx.needs, strict=True)
            ]
            given = [
                _apart(g) if g.requires_grad else g.detach().requires_grad_()
                for g in given
            ]
            first = _by_reference(ctx.call, own, ctx.needs, ctx.present, given, True)
            wrt = [*(t for t, need in zip(own, ctx.needs, strict=True) if need), *given]
            pairs = [
                (gradient, cotangent)
                for gradient, cotangent in zip(
                    [g for g in first if g is not None], cotangents, strict=True
                )
                if gradient.requires_grad and cotangent is not None
            ]
        with without_autocast(tensors[0].device.type):
            found = _gradients(pairs, wrt, torch.is_grad_enabled())
        second = iter(found)
        head = [next(second) if need else None for need in ctx.needs]
        kept = [None] * (len(tensors) - count - len(given))
        return (None, None, None, *head, *kept, *second)


def _gradients_of(
    call: Call,
    needs: tuple[bool, ...],
    present: tuple[bool, ...],
    tensors: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """Return the gradients that are needed, by the backward kernel."""
    count = len(tensors) - sum(present)
    given = iter(tensors[count:])
    arriving = _arriving(call, [next(given) if p else None for p in present], tensors)
    # The caller's block may reach as far as here, with its casts.
    with without_autocast(tensors[0].device.type):
        found = call.backward([*tensors[:count], *arriving])
    pairs = zip(found, needs, strict=True)
    return tuple(gradient for gradient, need in pairs if need)


def _apart(tensor: Tensor) -> Tensor:
    """Return a tensor that hangs on the given one, and on which nothing hangs yet.

    What arrives may hang on the inputs too, as the slope of a squared loss does, and
    an input on a weight. Gradients with respect to both would count such a path twice.
    """
    return tensor.view_as(tensor)


def _gradients(
    pairs: Sequence[tuple[Tensor, Tensor]], wrt: Sequence[Tensor], again: bool
) -> Sequence[Tensor | None]:
    if not pairs:
        return [None] * len(wrt)
    return torch.autograd.grad(
        [value for value, _ in pairs],
        wrt,
        [cotangent for _, cotangent in pairs],
        create_graph=again,
        allow_unused=True,
    )


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


def _by_reference(
    call: Call,
    tensors: Sequence[Tensor],
    needs: Sequence[bool],
    present: Sequence[bool],
    given: Sequence[Tensor],
    again: bool = False,
) -> list[Tensor | None]:
    """Return what the backward kernel gives, by torch's own operations."""
    inputs, states, weights, _ = call.split(tensors)
    ahead = call.program.ahead
    schedule = ahead.schedule
    names = [ahead.names[root] for root in schedule.roots]
    graph = _rooted(call.program)
    with torch.enable_grad(), without_autocast(inputs[0].device.type):
        roots = call.roots(weights).tensors()
        arguments = Arguments(call.sizes, dict(zip(names, roots, strict=True)), {})
        result = interpret.run(graph, arguments, inputs, states, call.trace)
        values = [result.output, *result.traces.values(), *result.states]
        arrived = [value for value, there in zip(values, present, strict=True) if there]
        pairs = [(v, g) for v, g in zip(arrived, given, strict=True) if v.requires_grad]
        own = [
            t
            for t, need in zip([*inputs, *states, *weights], needs, strict=True)
            if need
        ]
        found = iter(_gradients(pairs, own, again))
    return [
        _or_zeros(next(found), tensor) if need else None
        for tensor, need in zip([*inputs, *states, *weights], needs, strict=True)
    ]


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


@lru_cache(maxsize=256)
def _rooted(compiled: Program) -> Graph:
    ahead = compiled.ahead
    return rooted(ahead.schedule.graph, ahead.schedule.roots, ahead.names)
