"""Call a person's module over a sequence, whatever form of layer or step it has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.ir.graph import Graph

Values = tuple[Tensor | None, list[Tensor] | None]
"""Output ``[T, B, H]`` and last states ``[L*D, B, H]``, as far as they are returned."""


class CompareError(CellwrightError, ValueError, RuntimeError):
    """A module that cannot be compared with a cell."""


@dataclass(frozen=True)
class Call:
    """How a module, or a cell, is run.

    Args:
        run: from the input ``[T, B, I]`` and first states, or None, to what it gives.
        takes_states: whether it can be given first states.
        needs_states: whether it must be.
        notes: what cannot be compared, and why.
    """

    run: Callable[[Tensor, Sequence[Tensor] | None], Values]
    takes_states: bool = True
    needs_states: bool = False
    notes: tuple[str, ...] = ()


def module_call(
    module: nn.Module,
    graph: Graph,
    x: Tensor,
    further: Mapping[str, Tensor],
    *,
    batch_first: bool,
    step: bool | None,
) -> Call:
    """Return how a module is run.

    Args:
        module: a layer or a step.
        graph: of the cell, for the number and shapes of its states.
        x: an input, to find out what the module returns.
        further: the cell's further inputs, given by name.
        batch_first: whether the module reads ``[B, T, I]``.
        step: whether it is one step; None to see it from its arguments.

    Raises:
        CompareError: when it does not run, or returns what no layer or step returns.
    """
    parameters = inspect.signature(module.forward).parameters
    second = [
        p
        for name, p in parameters.items()
        if name not in further
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ][1:2]
    needed = bool(second) and second[0].default is inspect.Parameter.empty
    if step is None:
        step = needed or isinstance(module, nn.RNNCellBase)
    if step:
        if not second:
            raise CompareError(f"{_name(module)}: a step's forward takes x and a state")
        return _step_call(module, graph, further, needed)
    return _layer_call(module, graph, x, further, batch_first, bool(second), needed)


def _step_call(
    module: nn.Module, graph: Graph, further: Mapping[str, Tensor], needed: bool
) -> Call:
    nexts = [state.next for state in graph.states]
    shown = nexts.index(graph.output) if graph.output in nexts else None
    notes: list[str] = []

    def run(x: Tensor, states: Sequence[Tensor] | None) -> Values:
        current = None if states is None else [s.squeeze(0) for s in states]
        outputs: list[Tensor] = []
        for t in range(x.shape[0]):
            hx = () if current is None else (_packed(current),)
            result = _invoke(module, (x[t], *hx), {k: v[t] for k, v in further.items()})
            output, current = _read_step(module, result, len(nexts))
            if output is None and shown is not None:
                output = current[shown]
            outputs += [] if output is None else [output]
        if not outputs:
            return None, [state.unsqueeze(0) for state in current or ()]
        return torch.stack(outputs), [state.unsqueeze(0) for state in current or ()]

    if shown is None:
        notes.append(
            "The cell's output is no state: it is compared if the step returns "
            "(output, state)."
        )
    return Call(run, needs_states=needed, notes=tuple(notes))


def _layer_call(
    module: nn.Module,
    graph: Graph,
    x: Tensor,
    further: Mapping[str, Tensor],
    batch_first: bool,
    takes_states: bool,
    needs_states: bool,
) -> Call:
    ranks = [len(state.shape) for state in graph.states]

    def turn(value: Tensor) -> Tensor:
        return value.transpose(0, 1) if batch_first else value

    def call(x: Tensor, hx: tuple[Any, ...]) -> tuple[Tensor, list[Tensor] | None]:
        inputs = {name: turn(value) for name, value in further.items()}
        output, last = _read_layer(
            module, _invoke(module, (turn(x), *hx), inputs), ranks
        )
        return (turn(output) if output.dim() > 1 else output), last

    leading = True
    notes: list[str] = []
    if not needs_states:
        with torch.no_grad():
            found = call(x, ())[1]
        if found is None:
            notes.append("The module returns no state: only its output is compared.")
            takes_states = False
        else:
            leading = all(s.dim() == r + 2 for s, r in zip(found, ranks, strict=True))
    if not takes_states and not notes:
        notes.append("The module takes no first states: it starts from its own.")

    def run(x: Tensor, states: Sequence[Tensor] | None) -> Values:
        hx: tuple[Any, ...] = ()
        if states is not None:
            hx = (_packed([s if leading else s.squeeze(0) for s in states]),)
        output, last = call(x, hx)
        if last is not None and not leading:
            last = [state.unsqueeze(0) for state in last]
        return output, last

    return Call(run, takes_states, needs_states, tuple(notes))


def _read_step(
    module: nn.Module, result: object, states: int
) -> tuple[Tensor | None, list[Tensor]]:
    match result:
        case Tensor() if states == 1:
            return None, [result]
        case (Tensor() as output, (tuple() | list()) as state) if _all(state, states):
            return output, list(state)
        case (Tensor() as output, Tensor() as state) if states == 1:
            return output, [state]
        case tuple() | list() if _all(result, states):
            return None, list(result)
        case _:
            raise CompareError(
                f"{_name(module)}: a step of this cell returns its {states} states or "
                f"(output, states); got {_words(result)}"
            )


def _read_layer(
    module: nn.Module, result: object, ranks: Sequence[int]
) -> tuple[Tensor, list[Tensor] | None]:
    states = len(ranks)
    match result:
        case Tensor():
            return result, None
        case (Tensor() as output, (tuple() | list()) as state) if _all(state, states):
            return output, list(state)
        case (Tensor() as output, Tensor() as state) if states == 1:
            return output, [state]
        case _:
            raise CompareError(
                f"{_name(module)}: a layer of this cell returns its output or (output, "
                f"state) with {states} state tensors; got {_words(result)}"
            )


def _all(values: Sequence[object], count: int) -> bool:
    return len(values) == count and all(isinstance(v, Tensor) for v in values)


def _packed(states: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    return states[0] if len(states) == 1 else tuple(states)


def _invoke(
    module: nn.Module, arguments: tuple[Any, ...], inputs: Mapping[str, Tensor]
) -> object:
    try:
        return module(*arguments, **inputs)
    except Exception as error:
        given = ", ".join(_words(a) for a in (*arguments, *inputs.values()))
        raise CompareError(
            f"{_name(module)} does not run on {given}: {type(error).__name__}: {error}"
        ) from error


def _name(module: nn.Module) -> str:
    return type(module).__name__


def _words(value: object) -> str:
    match value:
        case Tensor():
            return str(list(value.shape))
        case tuple() | list():
            return f"({', '.join(map(_words, value))})"
        case _:
            return type(value).__name__
