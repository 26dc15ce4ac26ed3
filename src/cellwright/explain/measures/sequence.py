"""A recurrent network in time: states, one step at a time, how far back it learns."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.explain.facts import Layer, Network
from cellwright.explain.inside import Traces, horizon
from cellwright.nn import CarriedStates, Recurrent
from cellwright.tolerances import TOLERANCES, error

from .facts import Alike, Extent, Reach
from .faults import MeasureError

KINDS = (Recurrent, nn.RNNBase)
CELLS: dict[type[nn.Module], type[nn.RNNCellBase]] = {
    nn.LSTM: nn.LSTMCell,
    nn.GRU: nn.GRUCell,
    nn.RNN: nn.RNNCell,
}

QUOTE = "'"
"""In the name of a state after the step."""


def _path(name: str, module: nn.Module) -> str:
    """Return the path of a layer by its name; a module that is one has its class'."""
    return name if name in dict(module.named_modules()) else ""


def extents(module: nn.Module, traces: Traces) -> Iterator[Extent]:
    """Yield between which numbers each state of each layer was."""
    for trace in traces.values():
        for name in (name for name in trace if QUOTE in name):
            values, h = trace[name], trace.get(f"h'{name.partition(QUOTE)[2]}")
            apart = None
            if h is not None and h is not values and h.shape == values.shape:
                apart = float((values - h).abs().max())
            least, most = float(values.min()), float(values.max())
            yield Extent(
                _path(trace.layer, module), trace.call, name, least, most, apart
            )


def alike(module: nn.Module, traces: Traces) -> Iterator[Alike]:
    """Run each layer of one direction once more, one step at a time; yield the result.

    torch.nn's layers of one level run as a loop of torch.nn's cell with their weights,
    all others are called with one step, and handed the states of the call before.

    Args:
        module: that was traced.
        traces: of it.
    """
    layers = dict(module.named_modules())
    for trace in traces.values():
        layer = layers.get(trace.layer, module)
        whole = trace.real is None and not trace.call
        if not isinstance(layer, KINDS) or layer.bidirectional or not whole:
            continue
        wide = copy.deepcopy(layer).double().eval()
        x = trace.input.double()
        with torch.no_grad():
            wide.batch_first = False
            at_once, _ = wide(x)
            name, found = _loop(wide, x)
        bound = TOLERANCES["c", "float64"].bound
        yield Alike(
            _path(trace.layer, module), len(x), name, error(found, at_once), bound
        )


def _loop(layer: Recurrent | nn.RNNBase, x: Tensor) -> tuple[str, Tensor]:
    """Return what a layer gives when it is given one step at a time, and how."""
    kind = CELLS.get(type(layer))
    if isinstance(layer, nn.RNNBase) and kind is not None and _has_cell(layer):
        cell = _cell(layer, kind)
        state, outputs = None, []
        for step in x:
            state = cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return f"nn.{kind.__name__}", torch.stack(outputs)
    carried, outputs = CarriedStates(layer), []
    for step in x:
        with carried:
            output, _ = layer(step.unsqueeze(0))
        outputs.append(output.squeeze(0))
    return type(layer).__name__, torch.stack(outputs)


def _has_cell(layer: nn.RNNBase) -> bool:
    """Whether torch.nn's cell computes what the layer does."""
    return layer.num_layers == 1 and not layer.proj_size


def _cell(layer: nn.RNNBase, kind: type[nn.RNNCellBase]) -> nn.RNNCellBase:
    """Return torch.nn's cell with the weights of a layer."""
    more: Any = {"nonlinearity": layer.nonlinearity} if kind is nn.RNNCell else {}
    make: Any = kind
    sizes = (layer.input_size, layer.hidden_size, layer.bias)
    cell = make(*sizes, **more, dtype=torch.float64)
    weights = layer.state_dict()
    cell.load_state_dict({name.removesuffix("_l0"): v for name, v in weights.items()})
    return cell


def reaches(
    module: nn.Module, x: Tensor, facts: Network, window: int | None
) -> Iterator[Reach]:
    """Yield how far back the gradient of the last output reaches, state by state.

    Args:
        module: with recurrent layers, in evaluation.
        x: its input.
        facts: of the network, run with that input.
        window: steps of one call. The calls follow one another with the states of the
            one before, whose graph is cut off; None for one call of all steps.

    Raises:
        MeasureError: for a window where the input has no axis of time.
    """
    if window is None:
        found = horizon(module, x)
    else:
        axis = _time_axis(facts)
        carried = CarriedStates(module, "--window")

        def windows(x: Tensor) -> object:
            result: object = None
            for part in x.split(window, axis):
                with carried:
                    result = module(part)
                carried.detach()
            return result

        found = horizon(windows, x, model=module)
    for state in found.values():
        steps = len(state.norms)
        yield Reach(
            _path(state.layer, module),
            state.state,
            steps,
            window,
            state.reach,
            state.finding,
        )


def _time_axis(facts: Network) -> int:
    """Return which axis of the input a recurrent layer takes for time."""
    layers = {layer.path: layer for layer in facts.layers}
    for layer in facts.layers:
        first: Layer | None = layer if layer.recurrence else None
        while first is not None and not first.begins:
            first = layers.get(first.follows) if first.follows is not None else None
        names = [axis.name for axis in first.takes[0]] if first else []
        if "time" in names:
            return names.index("time")
    raise MeasureError(
        "--window: a window is some of the steps that a recurrent layer takes from the "
        "network's input, through layers that see each step by itself; found none\n"
        "  fix: leave --window out"
    )
