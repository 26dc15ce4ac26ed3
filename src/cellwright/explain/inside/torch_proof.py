"""torch.nn's own code on a recorded call, in float64: what a replay has to equal."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from .normal import Normal, cast
from .recording import Call, states_of
from .recurrent_kinds import TorchCell, mode_of


def by_torch(call: Call, exact: Normal) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return what torch.nn gives for a call, as `Normal` has it.

    The layer is made anew and gets the weights that the call was computed with, so
    whatever a subclass, a hook or another thread did to the call does not matter here.

    Args:
        call: of a torch.nn layer or cell, or of a drop-in that torch runs.
        exact: the same call in float64.

    Shape:
        - output: ``[T, B, D*H]``
        - states: ``[L*D, B, H]`` each.
    """
    weights = cast(call.weights, torch.float64)
    if isinstance(call.layer, TorchCell):
        return _cell(call.layer, weights, exact)
    assert isinstance(call.layer, nn.RNNBase)
    layer = _fresh(call.layer)
    _fill(layer, weights)
    if isinstance(call.input, PackedSequence):
        output, last = layer(*cast((call.input, call.hx), torch.float64))
        return pad_packed_sequence(output)[0], states_of(last)
    given = exact.read.given
    assert given is not None
    output, last = layer(exact.read.x, given[0] if len(given) == 1 else tuple(given))
    return output, states_of(last)


def _fresh(layer: nn.RNNBase) -> nn.RNNBase:
    # A device without numbers, so that no first weights are drawn.
    arguments = {
        "num_layers": layer.num_layers,
        "bias": layer.bias,
        "bidirectional": layer.bidirectional,
        "device": "meta",
        "dtype": torch.float64,
    }
    sizes = (layer.input_size, layer.hidden_size)
    if layer.mode == "LSTM":
        return nn.LSTM(*sizes, proj_size=layer.proj_size, **arguments)
    if layer.mode == "GRU":
        return nn.GRU(*sizes, **arguments)
    nonlinearity = layer.mode.removeprefix("RNN_").lower()
    return nn.RNN(*sizes, nonlinearity=nonlinearity, **arguments)


def _cell(
    layer: TorchCell, weights: dict[str, Tensor], exact: Normal
) -> tuple[Tensor, tuple[Tensor, ...]]:
    sizes = (layer.input_size, layer.hidden_size, layer.bias)
    arguments = {"device": "meta", "dtype": torch.float64}
    match mode_of(layer):
        case "LSTM":
            cell = nn.LSTMCell(*sizes, **arguments)
        case "GRU":
            cell = nn.GRUCell(*sizes, **arguments)
        case mode:
            cell = nn.RNNCell(*sizes, mode.removeprefix("RNN_").lower(), **arguments)
    _fill(cell, {n.removesuffix("_l0"): value for n, value in weights.items()})
    given = exact.read.given
    assert given is not None
    states = [state[0] for state in given]
    last = states_of(cell(exact.read.x[0], states[0] if len(states) == 1 else states))
    return last[0].unsqueeze(0), tuple(value.unsqueeze(0) for value in last)


def _fill(layer: nn.Module, weights: dict[str, Tensor]) -> None:
    layer.to_empty(device="cpu")
    own = dict(layer.named_parameters())
    assert own.keys() == weights.keys(), (list(own), list(weights))
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])
