"""Record every call of the recurrent layers of a module, while it runs as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cellwright.nn.extras import Request
from cellwright.nn.stateful import in_words

from .recurrent_kinds import Layer, TorchCell, weights_of
from .trace_errors import TraceError

RUN = "a layer is recorded when a module calls it, layer(x), with an input"


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer; of a torch.nn cell the calls of one sequence.

    Args:
        name: of the layer in the module, empty for the module itself.
        layer: as it is.
        input: as it was given, one after the other for a cell.
        hx: first states, likewise.
        request: what was asked for beyond torch.nn.
        further: the cell's further inputs.
        output: what came out, likewise.
        last: the states that came out, likewise.
        weights: those that it computed with.
    """

    name: str
    layer: Layer
    input: Any
    hx: Any
    request: Request
    further: Mapping[str, Tensor]
    output: Any
    last: Any
    weights: Mapping[str, Tensor]

    @property
    def words(self) -> str:
        """The layer in words, for messages."""
        return in_words(self.name, self.layer)

    @property
    def key(self) -> str:
        """The layer's name, or its class if it is the module itself."""
        return self.name or type(self.layer).__name__


@contextmanager
def recorded(layers: Mapping[str, Layer]) -> Iterator[list[Call]]:
    """Record the calls of layers in the order in which they end.

    Hooks stand first behind a layer's forward, so that what other hooks make of its
    result is not taken for the layer's own.

    Args:
        layers: by name.
    """
    calls: list[Call] = []
    weights: dict[str, Mapping[str, Tensor]] = {}

    def hook(name: str) -> Callable[..., None]:
        def after(
            layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
        ) -> None:
            found = {n: copied(w) for n, w in weights_of(layer).items()}
            if not same(weights.get(name, {}), found):
                weights[name] = found
            given, hx, request, further = read_arguments(name, layer, args, kwargs)
            output, last = read_result(name, layer, result)
            if request.return_states == "all":
                last = last_of_all(last)
            parts = (given, hx, request, further, output, last)
            given, hx, request, further, output, last = copied(parts)
            mine = weights[name]
            calls.append(
                Call(name, layer, given, hx, request, further, output, last, mine)
            )

        return after

    with ExitStack() as stack:
        for name, layer in layers.items():
            handle = layer.register_forward_hook(
                hook(name), prepend=True, with_kwargs=True
            )
            stack.callback(handle.remove)
        yield calls


def read_arguments(
    name: str, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Any, Any, Request, dict[str, Tensor]]:
    """Return the input, the first states and what else a layer is called with.

    Args:
        name: of the layer in the module.
        layer: that is called.
        args: as they were given.
        kwargs: likewise.

    Raises:
        TraceError: when there is no input, or there are more arguments by position.
    """
    rest = dict(kwargs)
    given = dict(zip(("input", "hx"), args, strict=False))
    found = {key: rest.pop(key, given.get(key)) for key in ("input", "hx")}
    if found["input"] is None or len(args) > 2:
        words = f"{len(args)} arguments by position, and {', '.join(kwargs) or 'none'}"
        where = in_words(name, layer)
        raise TraceError(where, RUN, f"{words} by name")
    asked = {n: rest.pop(n) for n in Request._fields if n in rest}
    return found["input"], found["hx"], Request(**asked), rest


def read_result(name: str, layer: Layer, result: Any) -> tuple[Any, Any]:
    """Return the output and the states of what a layer gives.

    Args:
        name: of the layer in the module.
        layer: that was called.
        result: what its forward returned.

    Raises:
        TraceError: when it is not what such a layer returns.
    """
    if isinstance(layer, TorchCell):
        two = isinstance(layer, torch.nn.LSTMCell)
        if two and isinstance(result, tuple) and len(result) == 2:
            return result[0], result
        if not two and isinstance(result, Tensor):
            return result, result
    elif isinstance(result, tuple) and len(result) >= 2:
        return result[0], result[1]
    words = type(result).__name__
    if isinstance(result, tuple):
        words += f" of {len(result)}"
    raise TraceError(
        in_words(name, layer),
        "a recurrent layer returns (output, state), a cell its states",
        f"its forward returned a {words}",
        "trace the model around a layer whose own forward is torch.nn's",
    )


def copied(value: Any) -> Any:
    """Return a value with copies of all tensors in it, off the graph.

    Copies are on the CPU, where there is float64 and what is shown is looked at.
    """
    match value:
        case Tensor():
            return value.detach().to("cpu", copy=True)
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(copied, value))
        case tuple() | list():
            return type(value)(map(copied, value))
        case dict():
            return type(value)((k, copied(v)) for k, v in value.items())
        case _:
            return value


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two mappings have equal tensors by the same names."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


def states_of(value: Any) -> tuple[Tensor, ...]:
    """Return states as a tuple, also a single one and none."""
    if value is None:
        return ()
    return (value,) if isinstance(value, Tensor) else tuple(value)


def last_of_all(states: Any) -> Any:
    """Return the last states out of those after every step, in the same form."""
    found = tuple(value[-1] for value in states_of(states))
    return found if isinstance(states, tuple) else found[0]


def sequences(calls: Sequence[Call]) -> list[Call]:
    """Return calls with those of a torch.nn cell joined, sequence by sequence.

    A cell begins anew where it is given no states, or zeros that it did not put out
    itself, or an input of another form, or has other weights. A joined call has tuples:
    an input, states and an output for each step.

    Args:
        calls: in the order in which they ran.
    """
    joined: list[Call] = []
    at: dict[str, int] = {}
    for call in calls:
        if not isinstance(call.layer, TorchCell):
            joined.append(call)
            continue
        step = replace(
            call,
            input=(call.input,),
            hx=(_begin(call),),
            output=(call.output,),
            last=(states_of(call.last),),
        )
        before = joined[at[call.name]] if call.name in at else None
        if before is None or _begins(call, before):
            at[call.name] = len(joined)
            joined.append(step)
        else:
            parts = ("input", "hx", "output", "last")
            more = {n: getattr(before, n) + getattr(step, n) for n in parts}
            joined[at[call.name]] = replace(before, **more)
    return joined


def _begins(call: Call, before: Call) -> bool:
    if call.input.shape != before.input[-1].shape or call.weights is not before.weights:
        return True
    given = states_of(call.hx)
    zeros = not any(bool(value.any()) for value in given)
    own = all(map(torch.equal, given, before.last[-1]))
    return not given or (zeros and not own)


def _begin(call: Call) -> tuple[Tensor, ...]:
    """Return the states that a cell was given, or the zeros that it then takes."""
    return states_of(call.hx) or tuple(map(torch.zeros_like, states_of(call.last)))
