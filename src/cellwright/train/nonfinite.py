"""Where in a model the first number came that is none: layer, equation, step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.cells import load
from cellwright.ir.graph import Graph
from cellwright.nn import GRU, LSTM, RNN, Recurrent
from cellwright.nn.torch_weights import cell_name


def where_it_began(model: nn.Module, call: Callable[[], object], x: Tensor) -> str:
    """Run a model once more and say where the first infinity or NaN comes up.

    Args:
        model: What was called.
        call: Calls it as it was called.
        x: Its input.
    """
    if not _finite(x):
        return f"the input, {_count(x)}"
    for name, weight in model.named_parameters():
        if not _finite(weight):
            return f"the weight {name}, {_count(weight)}, before this step"
    found: list[str] = []
    with _watched(model, found):
        call()
    return found[0] if found else "the loss: all that the model computes is finite"


def in_gradients(model: nn.Module) -> str:
    """Say which parameters' gradients are not finite."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not _finite(weight.grad)
    ]
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"the way back: the loss is finite, the gradient of {listed} is not"


@contextmanager
def _watched(model: nn.Module, found: list[str]) -> Iterator[None]:
    """Note each module whose output is not finite though its input is."""
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, Recurrent | LSTM | GRU | RNN):
                handles = _watch_layer(name, module, found)
            elif next(module.children(), None) is None:
                handles = [module.register_forward_hook(_noting(name, found))]
            else:
                continue
            for handle in handles:
                stack.callback(handle.remove)
        yield


def _noting(name: str, found: list[str]) -> Callable[..., None]:
    def note(module: nn.Module, _: tuple[Any, ...], result: Any) -> None:
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, Tensor) and not _finite(output):
            kind = type(module).__name__
            found.append(f"the output of {kind} {name!r}, {_count(output)}")

    return note


def _watch_layer(name: str, layer: Any, found: list[str]) -> list[Any]:
    """Let a layer trace all of its equations, and take the traces from its result."""
    graph = _graph(layer)
    equations = [v.name for v in graph.values if len(graph.nodes[v.node].shape) <= 1]

    def ask(_: nn.Module, given: Any, named: dict[str, Any]) -> tuple[Any, Any]:
        return given, {**named, "trace": equations}

    def note(*told: Any) -> tuple[Any, ...]:
        output, state, traces = told[-1]
        batch_first = layer.batch_first and output.dim() > 2
        place = _first(traces, equations, 1 if batch_first else 0)
        if place is not None:
            equation, step = place
            found.append(f"{equation} of {type(layer).__name__} {name!r}, step {step}")
        return output, state

    return [
        layer.register_forward_pre_hook(ask, with_kwargs=True),
        layer.register_forward_hook(note),
    ]


def _graph(layer: Any) -> Graph:
    if isinstance(layer, Recurrent):
        return layer.graph
    return load(cell_name(layer.mode, layer.proj_size)).specialise(layer.bias)


def _first(
    traces: Mapping[str, Tensor], equations: list[str], time: int
) -> tuple[str, int] | None:
    """Return the equation and the step of the first number that is none.

    Layers come one after the other; within one the earliest step counts, and of a step
    the equation that comes first.
    """
    places: list[tuple[int, bool, int, int, str, int]] = []
    for name, value in traces.items():
        equation, suffix = name.rsplit("_l", 1)
        layer, _, tail = suffix.partition("_")
        bad = ~torch.isfinite(value)
        if bad.any():
            axes = [axis for axis in range(value.dim()) if axis != time]
            steps = (bad.any(dim=axes) if axes else bad).nonzero().flatten()
            backwards = tail == "reverse"
            step = int(steps[-1 if backwards else 0])
            order = -step if backwards else step
            rank = equations.index(equation)
            places.append((int(layer), backwards, order, rank, name, step))
    if not places:
        return None
    *_, name, step = min(places)
    return name, step


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _count(value: Tensor) -> str:
    bad = int((~torch.isfinite(value)).sum())
    return f"{bad} of whose {value.numel()} numbers are not finite"
