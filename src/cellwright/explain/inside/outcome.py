"""What a run returned, as the losses whose gradients are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from .step_by_step import Visit
from .trace_errors import TraceError

Loss = Callable[[Any], Tensor]


class Seen(NamedTuple):
    """One loss, and the step that it is of.

    Args:
        loss: a single number.
        step: counted among the steps that happen in each row, from its end if below 0;
            None where the run does not say.
    """

    loss: Tensor
    step: int | None


def losses(
    result: Any, at: Sequence[int], loss: Loss | None, last: Visit, where: str
) -> list[Seen]:
    """Return a loss for each step that is asked for.

    Args:
        result: what the run returned.
        at: steps of the output.
        loss: makes a number of what the run returned; None for half the squared norm of
            the output at a step.
        last: the last call of a recurrent layer in the run.
        where: who asks, for messages.

    Raises:
        TraceError: when there is no such output, or no gradient to it.
    """
    if not last.rows:
        raise TraceError(where, "a gradient is of the rows of a batch", "B=0")
    if loss is not None:
        found = [Seen(_number(loss(result), where), None)]
    else:
        found = _of_outputs(_output(result, where), at, last, where)
    if not all(each.loss.requires_grad for each in found):
        raise TraceError(
            where,
            "the loss hangs on the states through a graph",
            "a loss without a gradient",
            "run it without torch.no_grad(), and return what was not detached",
        )
    return found


def _output(result: Any, where: str) -> Tensor | PackedSequence | list[Tensor]:
    match result:
        case Tensor() | PackedSequence():
            return result
        case list() if result and all(isinstance(each, Tensor) for each in result):
            return result
        case tuple() if result:
            return _output(result[0], where)
    raise TraceError(
        where,
        "a run returns its output, a tuple that begins with it, a list with an output "
        "of each step, or a loss",
        f"a {type(result).__name__}",
        "give loss=, a function from what the run returns to one number",
    )


def _of_outputs(
    output: Tensor | PackedSequence | list[Tensor],
    at: Sequence[int],
    last: Visit,
    where: str,
) -> list[Seen]:
    if isinstance(output, list):
        _check_steps(at, len(output), where)
        return [Seen(_half_square(output[step]), None) for step in at]
    if isinstance(output, PackedSequence):
        padded, counts = pad_packed_sequence(output)
        return [Seen(_half_square(_at(padded, counts, t, where)), t) for t in at]
    timed = _time_first(output, last)
    if timed is None:
        if tuple(at) != (-1,):
            found = f"at={list(at)}, and an output {list(output.shape)}"
            rule = "at is for an output of every step"
            fix = "return the output of all steps"
            raise TraceError(where, rule, found, fix)
        return [Seen(_half_square(output), None)]
    counts = torch.full((timed.shape[1],), len(timed))
    if last.keep is not None and last.keep.shape == timed.shape[:2]:
        # The output of padding is no output; a mask within a sequence is left alone.
        steps = torch.arange(1, len(timed) + 1).unsqueeze(1)
        counts = (last.keep.cpu() * steps).amax(0)
    return [Seen(_half_square(_at(timed, counts, t, where)), t) for t in at]


def _time_first(output: Tensor, last: Visit) -> Tensor | None:
    """Return an output as ``[T, B, ...]`` if it has the steps of the last call."""
    steps, rows = last.steps, last.rows
    if not last.batched:
        timed = output.dim() > 0 and len(output) == steps
        return output.unsqueeze(1) if timed else None
    layouts = [((steps, rows), False), ((rows, steps), True)]
    for shape, turned in reversed(layouts) if last.batch_first else layouts:
        if tuple(output.shape[:2]) == shape:
            return output.transpose(0, 1) if turned else output
    return None


def _at(output: Tensor, counts: Tensor, step: int, where: str) -> Tensor:
    """Return the output of each row at a step, without rows that are shorter."""
    _check_steps((step,), int(counts.max()), where)
    places = counts + step if step < 0 else torch.full_like(counts, step)
    rows = ((places >= 0) & (places < counts)).nonzero().flatten()
    return output[places[rows].to(output.device), rows.to(output.device)]


def _check_steps(at: Sequence[int], steps: int, where: str) -> None:
    if wrong := [t for t in at if not -steps <= t < steps]:
        found = f"at={wrong[0]}, with {steps} steps"
        fix = f"from {-steps} to {steps - 1}, counted in each row"
        raise TraceError(where, "at names steps of the output", found, fix)


def _half_square(output: Tensor) -> Tensor:
    return output if output.dim() == 0 else output.square().sum() / 2


def _number(loss: object, where: str) -> Tensor:
    if isinstance(loss, Tensor) and loss.numel() == 1:
        return loss.reshape(())
    words = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
    raise TraceError(where, "a loss is one number", f"loss= returned {words}")
