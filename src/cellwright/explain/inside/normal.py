"""A recorded call in one form, time first, whatever form it was called in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from cellwright.nn.call import Read, read_call
from cellwright.nn.extras import traceable

from .recording import Call, states_of
from .recurrent_kinds import TorchCell, form_of, settings_of
from .trace_errors import TraceError

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Normal:
    """A call as a layer over time reads it; all steps of a cell are rows of one step.

    Args:
        read: the call, with all values of its cell to be traced.
        output: what came out.
        last: the states that came out.
        lengths: how many steps each row has, as far as the caller said.
        steps: of a cell, whose steps are rows of one; None for a layer over time.

    Shape:
        - output: ``[T, B, D*H]``
        - last: ``[L*D, B, H]`` each.
    """

    read: Read
    output: Tensor
    last: tuple[Tensor, ...]
    lengths: Tensor | None
    steps: int | None

    def unfolded(self, value: Tensor) -> Tensor:
        """Return ``[T, B, ...]`` of a value of all steps, also of a cell."""
        if self.steps is None:
            return value
        return value.reshape(self.steps, -1, *value.shape[2:])


def check_dtypes(call: Call) -> None:
    """Raise a TraceError unless a call was computed in one dtype that can be proved."""
    parts = {"weights": call.weights.values()}
    parts |= {"input": _tensors(call.input), "output": _tensors(call.output)}
    found = {(name, each.dtype) for name, part in parts.items() for each in part}
    kinds = {dtype for _, dtype in found}
    if len(kinds) == 1 and kinds <= set(DTYPES):
        return
    listed = sorted(f"{name} of {_word(dtype)}" for name, dtype in found)
    raise TraceError(
        call.words,
        "a trace is proved in float32 or float64, one of them for all tensors",
        ", ".join(listed),
        "trace a copy of the model, copy.deepcopy(model).float(), on x.float() and "
        "outside of torch.autocast",
    )


def normal(call: Call, dtype: torch.dtype | None = None, traced: bool = True) -> Normal:
    """Return a call in one form.

    Args:
        call: as it was recorded.
        dtype: to cast everything to.
        traced: whether all values of its cell are asked for, or what the caller did.

    Raises:
        ShapeError, DtypeError: for what its cell cannot read.
    """
    if isinstance(call.layer, TorchCell):
        return _of_cell(call, dtype, traced)
    x, output, lengths = call.input, call.output, call.request.lengths
    first = settings_of(call.layer).batch_first
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x, first)
        output, _ = pad_packed_sequence(output, first)
    read = _read(call, dtype, x, call.hx, lengths, traced)
    last = states_of(call.last)
    if not read.layout.batched:
        last = tuple(value.unsqueeze(1) for value in last)
    counts = None if lengths is None else torch.as_tensor(lengths).reshape(-1)
    return Normal(read, read.layout.time_first(output), last, counts, None)


def _of_cell(call: Call, dtype: torch.dtype | None, traced: bool) -> Normal:
    batched = call.input[0].dim() > 1

    def rows(values: Sequence[Tensor]) -> Tensor:
        return (torch.cat if batched else torch.stack)(list(values)).unsqueeze(0)

    hx = tuple(map(rows, zip(*call.hx, strict=True)))
    last = tuple(map(rows, zip(*call.last, strict=True)))
    given = hx[0] if len(hx) == 1 else hx
    read = _read(call, dtype, rows(call.input), given, None, traced)
    return Normal(read, rows(call.output), last, None, len(call.input))


def _read(
    call: Call,
    dtype: torch.dtype | None,
    x: Tensor,
    hx: Any,
    lengths: Any,
    traced: bool,
) -> Read:
    form = form_of(call.layer)
    request = call.request._replace(lengths=lengths)
    if traced:
        names = traceable(form.graph)
        request = request._replace(trace=names, return_states="last")
    weights, further = cast(call.weights, dtype), cast(call.further, dtype)
    given, settings = cast(hx, dtype), settings_of(call.layer)
    return read_call(form, settings, weights, cast(x, dtype), given, request, further)


def cast(value: Any, dtype: torch.dtype | None) -> Any:
    """Return a tensor, or those in a tuple or mapping, in another dtype."""
    match value:
        case Tensor():
            return value if dtype is None else value.to(dtype)
        case PackedSequence():
            return value._replace(data=cast(value.data, dtype))
        case tuple() | list():
            return tuple(cast(each, dtype) for each in value)
        case Mapping():
            return {name: cast(each, dtype) for name, each in value.items()}
        case _:
            return value


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _tensors(value: Any) -> Sequence[Tensor]:
    if isinstance(value, PackedSequence):
        return [value.data]
    return [value] if isinstance(value, Tensor) else list(value or ())
