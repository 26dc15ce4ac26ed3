"""A pass by kernels as a function that torch can differentiate.

The forward and the backward kernels stand in one `autograd.Function` each. The backward
one's own gradient is the reference's, so second derivatives are exact and cost nothing
until somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import _C, Tensor
from torch._C import _functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch.autograd import forward_ad

from .autocast import without_autocast


class Backward(Protocol):
    """What goes back through a list of inputs, first states and weights."""

    @property
    def count(self) -> int:
        """How many tensors it takes."""
        ...

    def gradients(
        self,
        tensors: tuple[Tensor, ...],
        arriving: Sequence[Tensor | None],
        needs: tuple[bool, ...],
        /,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the tensors, None for those that nobody asked for.

        Args:
            tensors: what the pass took, and behind it what it kept.
            arriving: gradients of the results, None for those that there are none of.
            needs: which of the tensors that it took a gradient is asked of.
        """
        ...

    def values(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the results by torch's own operations."""
        ...


class Pass(Backward, Protocol):
    """What kernels do with a list of inputs, first states and weights."""

    def kept(
        self, tensors: Sequence[Tensor]
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the results, and what the backward pass reads beside the tensors."""
        ...


def is_transformed() -> bool:
    """Whether functorch or forward-mode differentiation is under way."""
    stack = _functorch.peek_interpreter_stack()
    return stack is not None or forward_ad._current_level >= 0


def _has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has numbers of its own; one of ``is_grads_batched`` has not."""
    return _C._has_storage(tensor)


class Forward(torch.autograd.Function):
    """The forward kernels; returns the results."""

    @staticmethod
    def forward(ctx: Any, call: Pass, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the forward kernels, and keep what the backward ones read."""
        found, kept = call.kept(tensors)
        ctx.call = call
        ctx.save_for_backward(*tensors, *kept)
        ctx.set_materialize_grads(False)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the backward kernels, or what stands in for it."""
        return back_through(ctx.call, ctx.saved_tensors, arriving, ctx.needs_input_grad)


def back_through(
    call: Backward,
    saved: Sequence[Tensor],
    arriving: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Return gradients: None for the pass, and one for each tensor or None.

    Args:
        call: the pass.
        saved: what it took and kept.
        arriving: gradients of the results, None for those that there are none of.
        needed: of which arguments a gradient is needed, the pass first.
    """
    needs = tuple(needed[1:])
    present = tuple(gradient is not None for gradient in arriving)
    given = [gradient for gradient in arriving if gradient is not None]
    if is_transformed() or not all(map(_has_memory, given)):
        with torch.enable_grad():
            own = [_apart(tensor) for tensor in saved]
        return (None, *_by_reference(call, own, needs, present, given))
    tensors = (*saved, *given)
    if not torch.is_grad_enabled():
        return None, *_gradients_of(call, needs, present, tensors)
    gradients = iter(_Backward.apply(call, needs, present, *tensors))
    return (None, *(next(gradients) if need else None for need in needs))


class _Backward(torch.autograd.Function):
    """The backward kernels; returns the gradients that are needed, in their order."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Backward,
        needs: tuple[bool, ...],
        present: tuple[bool, ...],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.call, ctx.needs, ctx.present = call, needs, present
        ctx.save_for_backward(*tensors)
        found = _gradients_of(call, needs, present, tensors)
        return tuple(each for each in found if each is not None)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        count = ctx.call.count
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
    call: Backward,
    needs: tuple[bool, ...],
    present: tuple[bool, ...],
    tensors: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Return the gradients that are needed, by the backward kernels; else None."""
    count = len(tensors) - sum(present)
    given = iter(tensors[count:])
    arriving = [next(given) if there else None for there in present]
    # The caller's block may reach as far as here, with its casts.
    with without_autocast(tensors[0].device.type):
        found = call.gradients(tensors[:count], arriving, needs)
    asked = [
        gradient if need else None for gradient, need in zip(found, needs, strict=True)
    ]
    # One that is missing would be 0 to torch, and nobody would be told.
    assert [gradient is not None for gradient in asked] == [*needs]
    return asked


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


def _by_reference(
    call: Backward,
    tensors: Sequence[Tensor],
    needs: Sequence[bool],
    present: Sequence[bool],
    given: Sequence[Tensor],
    again: bool = False,
) -> list[Tensor | None]:
    """Return what the backward kernels give, by torch's own operations."""
    tensors = tensors[: call.count]
    with torch.enable_grad(), without_autocast(tensors[0].device.type):
        values = call.values(tensors)
        arrived = [value for value, there in zip(values, present, strict=True) if there]
        pairs = [(v, g) for v, g in zip(arrived, given, strict=True) if v.requires_grad]
        own = [t for t, need in zip(tensors, needs, strict=True) if need]
        found = iter(_gradients(pairs, own, again))
    return [
        _or_zeros(next(found), tensor) if need else None
        for tensor, need in zip(tensors, needs, strict=True)
    ]


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient
