"""Run the recurrent layers of a module step by step, each state kept in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from cellwright.nn.call import Read, suffixes
from cellwright.nn.extras import Extras
from cellwright.nn.layers import LayersResult
from cellwright.nn.packed import run_packed
from cellwright.tolerances import TOLERANCES

from .differences import Against, likely_fix, refusal
from .normal import Normal, check_dtypes, normal
from .parting import parting
from .recording import Call, last_of_all, read_arguments, read_result, states_of
from .recurrent_kinds import Layer, TorchCell, form_of, weights_of
from .stepped import Stepped, by_hand

States = Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class Visit:
    """One call of a layer, with its states after every step as nodes of the graph.

    Args:
        names: of the states.
        nodes: by layer and direction, in the order in which that one reads,
            ``[B, H]``.
        keep: which steps happen, ``[T, B]``, None for all.
        handed: what the call was given to begin with: ``"nothing"``, ``"values"``
            without a gradient, or states of the ``"graph"``.
        graded: whether gradients were on.
        reset: whether it was asked to begin anew at some steps.
        batch_first: how its input lay.
        batched: whether that had a batch axis.
    """

    names: Sequence[str]
    nodes: Mapping[str, Sequence[States]]
    keep: Tensor | None
    handed: str
    graded: bool
    reset: bool
    batch_first: bool
    batched: bool

    @property
    def steps(self) -> int:
        """How many steps the call had."""
        return len(next(iter(self.nodes.values())))

    @property
    def rows(self) -> int:
        """How many rows its batch had."""
        return next(iter(self.nodes.values()))[0][0].shape[0]


Visits = list[tuple[str, Visit]]
"""The calls of layers with their names, in the order in which they ended."""


@contextmanager
def step_by_step(layers: Mapping[str, Layer]) -> Iterator[Visits]:
    """Let layers run step by step, and keep their states; all else runs as ever.

    A layer over time runs by the reference, and its output and last states are held
    against those of its own forward, which runs too. So does a torch.nn cell, for its
    two states come out of one operation, and neither is made of the other.

    Args:
        layers: by name.
    """
    visits: Visits = []
    with ExitStack() as stack:
        for name, layer in layers.items():
            run = _run_cell if isinstance(layer, TorchCell) else _run_layer
            own = vars(layer).get("forward")
            vars(layer)["forward"] = partial(run, visits, name, layer, layer.forward)
            stack.callback(_put_back, layer, own)
        yield visits


def _put_back(layer: Layer, forward: Any) -> None:
    del vars(layer)["forward"]
    if forward is not None:
        vars(layer)["forward"] = forward


def _run_cell(
    visits: Visits,
    name: str,
    layer: TorchCell,
    forward: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    x, hx, request, further = read_arguments(name, layer, args, kwargs)
    with torch.no_grad():
        output, last = read_result(name, layer, forward(*args, **kwargs))
    begin = states_of(hx) or tuple(map(torch.zeros_like, states_of(last)))
    ends = (output,), (states_of(last),)
    call = Call(name, layer, (x,), (begin,), request, further, *ends, weights_of(layer))
    _, result = _run(visits, call, hx, x.dim() > 1)
    states = [value[0] if x.dim() > 1 else value[0, 0] for value in result.states]
    return states[0] if len(states) == 1 else tuple(states)


def _run_layer(
    visits: Visits,
    name: str,
    layer: Layer,
    forward: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    given, hx, request, further = read_arguments(name, layer, args, kwargs)
    with torch.no_grad():
        output, last = read_result(name, layer, forward(*args, **kwargs))
    if request.return_states == "all":
        last = last_of_all(last)
    weights = weights_of(layer)
    call = Call(name, layer, given, hx, request, further, output, last, weights)
    read, result = _run(visits, call, hx, None)
    returned = result.returned(read.layout, read.extras)
    if not isinstance(given, PackedSequence):
        return returned
    words, first = read.layout.layer, read.layout.batch_first
    return run_packed(words, given, first, None, lambda *_: returned)


def _run(
    visits: Visits, call: Call, hx: Any, batched: bool | None
) -> tuple[Read, LayersResult]:
    """Run a call step by step, check it, and keep it.

    Args:
        visits: keeps it.
        call: with the tensors that are there.
        hx: as it was given.
        batched: whether a cell's input had a batch axis.
    """
    check_dtypes(call)
    here = normal(call, traced=False)
    read, form = here.read, form_of(call.layer)
    names = [s for n in range(len(form.sizes)) for s in suffixes(n, form.bidirectional)]
    stepped = Stepped(read.graph, names, read.extras.keep)
    result = read._replace(extras=by_hand(read.extras)).run(stepped)
    _check(call, here, result.output, _ends(result.states, read.extras))
    visit = Visit(
        names=[state.name for state in read.graph.states if state.shape],
        nodes=stepped.nodes,
        keep=read.extras.keep,
        handed=_handed(hx),
        graded=torch.is_grad_enabled(),
        reset=call.request.reset is not None,
        batch_first=read.layout.batch_first,
        batched=read.layout.batched if batched is None else batched,
    )
    visits.append((call.name, visit))
    return read, result


def _handed(hx: Any) -> str:
    given = states_of(hx)
    if not given:
        return "nothing"
    return "graph" if any(state.requires_grad for state in given) else "values"


def _ends(states: States, extras: Extras) -> States:
    return [value[-1] for value in states] if extras.all_states else states


def _check(call: Call, here: Normal, output: Tensor, last: States) -> None:
    """Raise a ReplayError unless a layer step by step is what its own forward is."""
    dtype = str(output.dtype).removeprefix("torch.")
    bound = TOLERANCES["replay", dtype].bound
    pairs = {"output": (output, here.output)}
    both = zip(here.read.graph.states, last, here.last, strict=True)
    pairs |= {f"last {state.name}": (mine, real) for state, mine, real in both}
    for name, (mine, real) in pairs.items():
        if parted := parting(mine.detach(), real, bound):
            fix = likely_fix(call.layer, 0.0)
            against = Against("the layer", bound)
            raise refusal(call.words, name, parted, against, fix)
