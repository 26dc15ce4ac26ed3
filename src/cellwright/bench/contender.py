"""Who is measured: something to run, what it computes, and what that should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from cellwright.ir.graph import Binding, Graph, bindings

from .registry import FORWARD, Shape

Values = Mapping[str, Tensor]
Compute = Callable[[int], Values]
"""From a number of first steps to the output and the gradients by name."""


@dataclass(frozen=True)
class Contender:
    """Who is measured.

    Args:
        name: what tables call it.
        run: one call; it is timed.
        work: multiply-adds that its time is for, 0 where nobody counts them.
        calls: how many times that time a call of ``run`` takes.
        compute: what it computes; None where there is nothing to compare.
        expected: the same by somebody else, from the same weights.
    """

    name: str
    run: Callable[[], object]
    work: int = 0
    calls: int = 1
    compute: Compute | None = None
    expected: Compute | None = None


@dataclass(frozen=True)
class Sequence:
    """What all contenders of a row read.

    Args:
        what: FORWARD or BOTH.
        shape: B, T, I and H.
        x: ``[T, B, I]``; it needs no gradient, as in the first layer of a model.
    """

    what: str
    shape: Shape
    x: Tensor
    _dy: dict[tuple[int, ...], Tensor] = field(default_factory=dict)

    def dy(self, output: Tensor) -> Tensor:
        """Return the gradient that arrives at an output of these steps or the first.

        Args:
            output: ``[T, B, n]``, or ``[T, B]`` of a cell whose output is a number.
        """
        steps, *rest = output.shape
        found = self._dy.get((steps, *rest))
        if found is None:
            draw = torch.Generator().manual_seed(1)
            whole = torch.randn(self.shape.T, *rest, generator=draw)
            found = self._dy.setdefault((steps, *rest), whole[:steps])
        return found


def sequence(what: str, shape: Shape) -> Sequence:
    """Draw what the contenders of a row read."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(shape.T, shape.B, shape.I, generator=draw)
    return Sequence(what, shape, x)


def module(
    name: str,
    layer: nn.Module,
    given: Sequence,
    work: int = 0,
    expected: Compute | None = None,
    rename: Callable[[Values], Values] = dict,
) -> Contender:
    """Return a module of torch as a contender.

    Args:
        name: what tables call it.
        layer: returns its output first.
        given: what it reads.
        work: multiply-adds of a call.
        expected: what it should compute.
        rename: gives gradients the names that those of ``expected`` have.
    """
    step = _infer if given.what == FORWARD else _train
    return Contender(
        name,
        partial(step, layer, given, given.x),
        work,
        compute=lambda steps: rename(computed(layer, given, steps)),
        expected=expected,
    )


def computed(layer: nn.Module, given: Sequence, steps: int) -> Values:
    """Return a layer's output and, where they are timed, its gradients.

    Args:
        layer: returns its output first.
        given: what it reads.
        steps: so many first steps.
    """
    if given.what == FORWARD:
        with torch.inference_mode():
            return {"output": layer(given.x[:steps])[0].clone()}
    output = _train(layer, given, given.x[:steps])
    found = {n: p.grad for n, p in layer.named_parameters() if p.grad is not None}
    return {"output": output.detach(), **found}


def _infer(layer: nn.Module, _: Sequence, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return layer(x)[0]


def _train(layer: nn.Module, given: Sequence, x: Tensor) -> Tensor:
    """Run forward and backward, with gradients that begin at nothing."""
    for parameter in layer.parameters():
        parameter.grad = None
    output = layer(x)[0]
    output.backward(given.dy(output))
    return output


def multiply_adds(
    graph: Graph, sizes: Mapping[str, int], what: str, shape: Shape
) -> int:
    """Return the multiply-adds of a call that lie in products with matrices.

    Backward, a product with a state has two further ones, for the gradients of the
    state and of the matrix; a product with x alone has the latter.

    Args:
        graph: the cell.
        sizes: every named size.
        what: FORWARD or BOTH.
        shape: B and T count.
    """
    binding = bindings(graph)
    total = 0
    for node in graph.nodes:
        if node.op != "matmul":
            continue
        matrix, vector = node.args
        entries = 1
        for size in graph.nodes[matrix].shape:
            entries *= size.evaluate(sizes)
        times = 1 if what == FORWARD else 2 + (binding[vector] == Binding.STEP)
        total += times * entries * (binding[vector] > Binding.WEIGHTS)
    return total * shape.B * shape.T
