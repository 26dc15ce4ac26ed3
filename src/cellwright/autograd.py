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

from cellwright.backends.c.program import Program
from cellwright.backends.reference import interpret
from cellwright.backends.reference.interpret import Arguments, Result, Weights
from cellwright.compiler import program
from cellwright.ir.graph import Graph
from cellwright.passes.differentiate import OUTPUT
from cellwright.passes.rooted import rooted


@dataclass(frozen=True)
class _Call:
    """What one call's functions share that is no tensor."""

    program: Program
    sizes: Mapping[str, int]
    trace: tuple[str, ...]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of inputs, states and roots."""
        schedule = self.program.ahead.schedule
        graph = schedule.graph
        return len(graph.inputs), len(graph.states), len(schedule.roots)

    def split(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], ...]:
        """Return inputs, states, roots, and what comes behind."""
        inputs, states, roots = self.counts
        a, b, c = inputs, inputs + states, inputs + states + roots
        return tensors[:a], tensors[a:b], tensors[b:c], tensors[c:]


def run(
    graph: Graph,
    arguments: Arguments,
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
    trace: Sequence[str] = (),
) -> Result:
    """Run a graph over a sequence by its kernels; as `interpret.run` in every way.

    Under functorch's transforms (vmap, jvp, jacrev) the reference runs: they see
    through torch's operations only.
    """
    if is_transformed():
        return interpret.run(graph, arguments, inputs, states, trace)
    names = tuple(trace)
    x = inputs[0]
    if torch.is_grad_enabled():
        compiled = program(graph, names, True, x.dtype)
        roots = _roots(compiled).values(arguments, x)
        tensors = (*inputs, *states, *roots)
        if any(t.requires_grad for t in tensors):
            call = _Call(compiled, arguments.sizes, names)
            return _result(call, _Forward.apply(call, *tensors))
    compiled = program(graph, names, False, x.dtype)
    call = _Call(compiled, arguments.sizes, names)
    with torch.no_grad():
        roots = _roots(compiled).values(arguments, x)
        arrays, last = compiled.forward(arguments.sizes, roots, inputs, states)
    return _result(call, (*_given_out(call, arrays), *last))


def is_transformed() -> bool:
    """Whether functorch or forward-mode differentiation is under way."""
    stack = _functorch.peek_interpreter_stack()
    return stack is not None or forward_ad._current_level >= 0


def _has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has numbers of its own; one of ``is_grads_batched`` has not."""
    return _C._has_storage(tensor)


@lru_cache(maxsize=256)
def _roots(compiled: Program) -> Weights:
    schedule = compiled.ahead.schedule
    return Weights(schedule.graph, schedule.roots)


def _given_out(call: _Call, arrays: Sequence[Tensor]) -> list[Tensor]:
    """Return the output and the traces, each a tensor of its own."""
    ahead = call.program.ahead
    by_node = dict(zip(ahead.schedule.outputs, arrays, strict=True))
    nodes = [ahead.schedule.graph.output, *ahead.traced]
    return [
        by_node[node].clone() if node in nodes[:at] else by_node[node]
        for at, node in enumerate(nodes)
    ]


def _result(call: _Call, found: Sequence[Tensor]) -> Result:
    output, *rest = found
    traces = dict(zip(call.trace, rest, strict=False))
    return Result(output, tuple(rest[len(traces) :]), traces)


class _Forward(torch.autograd.Function):
    """The forward kernel; returns the output, the traces and the last states."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, states, roots, _ = call.split(tensors)
        arrays, last = call.program.forward(call.sizes, roots, inputs, states)
        schedule = call.program.ahead.schedule
        needed = set(call.program.ahead.saved.values())
        saved = [
            a for n, a in zip(schedule.outputs, arrays, strict=True) if n in needed
        ]
        ctx.call = call
        ctx.save_for_backward(*tensors, *saved)
        ctx.set_materialize_grads(False)
        return (*_given_out(call, arrays), *last)

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        needs = tuple(ctx.needs_input_grad[1:])
        present = tuple(gradient is not None for gradient in arriving)
        given = [gradient for gradient in arriving if gradient is not None]
        if is_transformed() or not all(map(_has_memory, given)):
            return (
                None,
                *_by_reference(ctx.call, ctx.saved_tensors, needs, present, given),
            )
        found = _Backward.apply(ctx.call, needs, present, *ctx.saved_tensors, *given)
        gradients = iter(found)
        return (None, *(next(gradients) if need else None for need in needs))


class _Backward(torch.autograd.Function):
    """The backward kernel; returns the gradients that are needed, in their order."""

    @staticmethod
    def forward(
        ctx: Any,
        call: _Call,
        needs: tuple[bool, ...],
        present: tuple[bool, ...],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        inputs, states, roots, rest = call.split(tensors)
        ahead = call.program.ahead
        needed = set(ahead.saved.values())
        nodes = [node for node in ahead.schedule.outputs if node in needed]
        saved = dict(zip(nodes, rest, strict=False))
        given = iter(rest[len(nodes) :])
        gradients = [next(given) if there else None for there in present]
        output, traces, last = _arriving(call, gradients, inputs, states)
        arriving = {OUTPUT: output, **{f"d.{n}": g for n, g in traces.items()}}
        found, first = call.program.backward(
            call.sizes, roots, inputs, states, saved, arriving, last
        )
        names = [i.name for i in ahead.schedule.graph.inputs]
        own = [found.get(name) for name in names]
        weights = [found.get(ahead.names[root]) for root in ahead.schedule.roots]
        ctx.call, ctx.needs, ctx.present = call, needs, present
        ctx.save_for_backward(*tensors)
        wanted = zip(tensors, [*own, *first, *weights], needs, strict=False)
        return tuple(_or_zeros(g, tensor) for tensor, g, need in wanted if need)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        count = sum(ctx.call.counts)
        given = list(tensors[len(tensors) - sum(ctx.present) :])
        with torch.enable_grad():
            own = [
                t if t.requires_grad else t.detach().requires_grad_(need)
                for t, need in zip(tensors[:count], ctx.needs, strict=True)
            ]
            given = [
                g if g.requires_grad else g.detach().requires_grad_() for g in given
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
        found = _gradients(pairs, wrt, torch.is_grad_enabled())
        second = iter(found)
        head = [next(second) if need else None for need in ctx.needs]
        kept = [None] * (len(tensors) - count - len(given))
        return (None, None, None, *head, *kept, *second)


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
    call: _Call,
    gradients: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    states: Sequence[Tensor],
) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
    """Return gradients of output, traces and last states, 0 where none came."""
    ahead = call.program.ahead
    graph = ahead.schedule.graph
    lead = inputs[0].shape[:2]
    nodes = [graph.output, *ahead.traced]
    shapes = [
        (*lead, *(size.evaluate(call.sizes) for size in graph.nodes[node].shape))
        for node in nodes
    ]
    found = [
        inputs[0].new_zeros((1, 1, *shape[2:])).expand(shape) if g is None else g
        for g, shape in zip(gradients, shapes, strict=False)
    ]
    last = [
        torch.zeros_like(state) if g is None else g
        for g, state in zip(gradients[len(nodes) :], states, strict=True)
    ]
    return found[0], dict(zip(call.trace, found[1:], strict=True)), last


def _by_reference(
    call: _Call,
    tensors: Sequence[Tensor],
    needs: Sequence[bool],
    present: Sequence[bool],
    given: Sequence[Tensor],
    again: bool = False,
) -> list[Tensor | None]:
    """Return what the backward kernel gives, by torch's own operations."""
    inputs, states, roots, _ = call.split(tensors)
    ahead = call.program.ahead
    schedule = ahead.schedule
    names = [ahead.names[root] for root in schedule.roots]
    graph = _rooted(call.program)
    with torch.enable_grad():
        arguments = Arguments(call.sizes, dict(zip(names, roots, strict=True)), {})
        result = interpret.run(graph, arguments, inputs, states, call.trace)
        values = [result.output, *result.traces.values(), *result.states]
        arrived = [value for value, there in zip(values, present, strict=True) if there]
        pairs = [(v, g) for v, g in zip(arrived, given, strict=True) if v.requires_grad]
        own = [
            t for t, need in zip([*inputs, *states, *roots], needs, strict=True) if need
        ]
        found = iter(_gradients(pairs, own, again))
    return [
        _or_zeros(next(found), tensor) if need else None
        for tensor, need in zip([*inputs, *states, *roots], needs, strict=True)
    ]


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


@lru_cache(maxsize=256)
def _rooted(compiled: Program) -> Graph:
    ahead = compiled.ahead
    return rooted(ahead.schedule.graph, ahead.schedule.roots, ahead.names)
