"""`trace`: every gate and state of every recurrent layer, at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .looked_into import look_into
from .recording import Call, recorded, sequences
from .recurrent_kinds import find_layers, nothing_ran
from .traces import LayerTrace, Traces
from .untouched import untouched


def trace(module: nn.Module, /, *args: Any, **kwargs: Any) -> Traces:
    """Return every gate and state of the recurrent layers of a module, at every step.

    The module runs once, without gradients, as `module(*args, **kwargs)`, and is
    afterwards what it was before. Layers of cellwright give their values themselves.
    torch.nn's layers have no way to: theirs are computed from the weights by the
    equations of the cell, and shown only if these equal torch.nn's own code in float64,
    and what is shown equals what the layer really put out. Each value is checked to
    follow from the step before it, too.

    Calls of a torch.nn.LSTMCell and its kin are put together to sequences: a new one
    begins where the cell is given no states, or zeros.

    Args:
        module: any module with recurrent layers, or such a layer: cellwright.nn's, or
            torch.nn's LSTM, GRU, RNN and their cells.
        *args: what it is called with.
        **kwargs: likewise.

    Shape:
        Values are ``[T, B, H]``, time first also with batch_first, on the CPU.

    Raises:
        TraceError: when there is no recurrent layer, none ran, one draws random numbers
            in training, or runs in half precision.
        ReplayError: when the values would not be those that the layer computed.

    Example:
        >>> import torch, cellwright as cw
        >>> model = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 8)})
        >>> model.forward = lambda x: model["rnn"](x)[0][-1]
        >>> cw.trace(model, torch.randn(20, 16, 3))
        Traces(ModuleDict)
        layer  cell  run     T   B   values
        rnn    lstm  replay  20  16  i_l0 f_l0 g_l0 o_l0 c'_l0 h'_l0
        >>> f = cw.trace(model, torch.randn(20, 16, 3))["rnn"]["f_l0"]
        >>> tuple(f.shape), bool(((f > 0) & (f < 1)).all())
        ((20, 16, 8), True)
    """
    layers = find_layers(module, "trace")
    # What torch.compile made calls no hooks that come later.
    eager = torch.compiler.set_stance("force_eager")
    with untouched(module), torch.no_grad(), eager:
        with recorded(layers) as calls:
            module(*args, **kwargs)
        if not calls:
            raise nothing_ran(f"trace({type(module).__name__})", list(layers))
        traces = _numbered(sequences(calls))
    ran = {call.name for call in calls}
    idle = [name for name in layers if name not in ran]
    return Traces(type(module).__name__, traces, idle)


def _numbered(calls: Sequence[Call]) -> tuple[LayerTrace, ...]:
    before: Counter[str] = Counter()
    traces: list[LayerTrace] = []
    for call in calls:
        traces.append(look_into(call, before[call.name]))
        before[call.name] += 1
    return tuple(traces)
