"""What a page is told: the facts in words, and each layer's equations and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cellwright.backends.reference.interpret import resolve
from cellwright.ir.graph import Graph, reachable
from cellwright.nn.layer_sizes import numbers

from ..arithmetic import in_words
from ..facts import Layer, Network, Recurrence
from ..figures.figure import cell_figure, network_figure
from ..inside.checked import Run
from ..inside.horizons import Horizon
from ..inside.traces import LayerTrace, Traces
from ..layers.boxes import layer_boxes
from ..layers.recurrent import Made
from ..terminal import layer_rows, short_shape, state_sizes
from .arrays import LARGE, Arrays

SEGMENT = 16
"""Of a page with many numbers: the states are kept before each so many steps."""


@dataclass(frozen=True)
class Inside:
    """What was seen of a network while it ran.

    Args:
        traces: of every call of its recurrent layers.
        made: what these layers are made of, by name.
        horizon: how far back learning reaches; None where that was not measured.
        labels: what stands at each step, a word or a character; none for numbers.
        missing: why there are no traces, or no horizon; sentences.
    """

    traces: Traces | None = None
    made: Mapping[str, Made] = field(default_factory=dict[str, Made])
    horizon: Horizon | None = None
    labels: Sequence[str] = ()
    missing: Sequence[str] = ()


_EMPTY = "a call without a row, or without a step, has nothing to show"


def payload(facts: Network, inside: Inside, rows: int) -> dict[str, Any]:
    """Return all that a page shows, as plain data.

    Args:
        facts: what is true of the network.
        inside: what was seen of it while it ran.
        rows: of the batch, as many as there are at most.
    """
    arrays = Arrays()
    ran = () if inside.traces is None else inside.traces.traces
    traces = [each for each in ran if each.input.shape[0] and each.input.shape[1]]
    empty = [_EMPTY] if len(traces) < len(ran) else []
    every = SEGMENT if _size(traces, rows) > LARGE else 1
    calls = [_call(each, inside, rows, every, arrays) for each in traces]
    return {
        "title": facts.words,
        "totals": _totals(facts),
        "layers": [_layer(each, facts, traces) for each in facts.layers],
        "calls": calls,
        "missing": [*inside.missing, *empty],
        "arrays": arrays.packed(),
    }


def _totals(facts: Network) -> list[tuple[str, str]]:
    found = [("parameters", f"{facts.parameters:,}")]
    if facts.trained != facts.parameters:
        found.append(("trained", f"{facts.trained:,}"))
    if facts.multiply_adds:
        found.append(("multiply-adds", f"{facts.multiply_adds:,}"))
    return found


def _layer(
    layer: Layer, facts: Network, traces: Sequence[LayerTrace]
) -> dict[str, Any]:
    name = layer.path or layer.kind
    share = layer.counted / facts.parameters if facts.parameters else 0.0
    return {
        "name": name,
        "follows": layer.follows,
        "path": layer.path,
        "kind": layer.kind,
        "words": layer.words,
        "takes": short_shape(layer.takes[:1]),
        "gives": short_shape(layer.gives[:1]),
        "states": state_sizes(layer.recurrence),
        "count": f"{layer.counted:,}",
        "share": share,
        "arithmetic": in_words(layer.parameters),
        "rows": list(layer_rows(layer)),
        "calls": _calls_of(layer, traces),
        "recurrence": _recurrence(layer.recurrence),
    }


def _calls_of(layer: Layer, traces: Sequence[LayerTrace]) -> list[int]:
    """Return which traces are a layer's; a module that is one goes by its class."""
    if layer.recurrence is None:
        return []
    return [i for i, each in enumerate(traces) if layer.path in ("", each.layer)]


def _recurrence(found: Recurrence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    values = [
        {
            "name": value.name,
            "size": value.size,
            "words": value.words,
            "equation": value.equation,
        }
        for value in (*found.gates, *found.states)
    ]
    return {
        "cell": found.cell,
        "units": found.units,
        "sees": found.sees,
        "values": values,
    }


def _size(traces: Sequence[LayerTrace], rows: int) -> int:
    """Return how many numbers a page would hold with the states of every step."""
    found = 0
    for run in (run for trace in traces for run in trace.runs):
        found += sum(value.numel() for value in run.arguments.parameters.values())
        found += sum(value[:, :rows].numel() for value in run.before.values())
    return found


def _call(
    trace: LayerTrace, inside: Inside, rows: int, every: int, arrays: Arrays
) -> dict[str, Any]:
    steps, batch = trace.input.shape[:2]
    kept = min(rows, batch)
    made = inside.made[trace.layer]
    runs: list[dict[str, Any]] = []
    for place, run in enumerate(trace.runs):
        joined = _is_joined(trace, run)
        told = _run(run, _below(trace, place), kept, arrays)
        before = _before(run, kept, every if joined else 1, arrays)
        runs.append({**told, **before, "joined": joined})
    return {
        "key": trace.key,
        "layer": trace.layer,
        "cell": trace.cell,
        "how": _how(trace),
        "steps": steps,
        "rows": kept,
        "batch": batch,
        "runs": runs,
        "labels": list(inside.labels) if len(inside.labels) == steps else [],
        "wiring": cell_figure(made.cell),
        "network": network_figure(list(layer_boxes(made)), steps),
        "horizon": _horizon(trace, inside.horizon),
    }


def _how(trace: LayerTrace) -> str:
    if trace.proof is None:
        return f"the layer's own values, backend {trace.backend}"
    return (
        "computed from the weights by the cell's equations; in float64 they are "
        f"{trace.proof:.0e} from torch.nn's code, and what is shown is "
        f"{trace.distance:.0e} from what the layer put out"
    )


def _run(run: Run, below: Sequence[int], rows: int, arrays: Arrays) -> dict[str, Any]:
    graph, sizes = run.graph, run.arguments.sizes
    values = {
        value.name: value.node
        for value in graph.values
        if len(graph.nodes[value.node].shape) < 2
    }
    ends = [graph.output, *values.values(), *(s.next for s in graph.states)]
    kept = sorted(reachable(graph.nodes, set(ends)))
    place = {old: new for new, old in enumerate(kept)}
    first = graph.inputs[0].name
    inputs = {
        name: arrays.add(value[:, :rows])
        for name, value in run.inputs.items()
        if not (below and name == first)
    }
    weights = {**run.arguments.parameters, **run.arguments.constants}
    used = {str(graph.nodes[n].attr) for n in kept if not graph.nodes[n].args}
    return {
        "suffix": run.suffix,
        "layer": int(run.suffix.removeprefix("_l").removesuffix("_reverse")),
        "backwards": _reads_back(run),
        "nodes": [_node(graph, old, place, sizes) for old in kept],
        "values": {name: place[node] for name, node in values.items()},
        "states": {s.name: place[s.next] for s in graph.states},
        "output": place[graph.output],
        "input": first,
        "below": list(below),
        "inputs": inputs,
        "weights": {n: arrays.add(v) for n, v in weights.items() if n in used},
    }


def _before(run: Run, rows: int, every: int, arrays: Arrays) -> dict[str, Any]:
    """Return the states before each step, or before the first of each segment.

    Those between follow from the equations, as under ``memory="recompute"``.
    """
    found: dict[str, int] = {}
    for name, value in run.before.items():
        kept = value[:, :rows]
        # The first step of a segment is the first to be read.
        read = kept.flip(0)[::every].flip(0) if _reads_back(run) else kept[::every]
        found[name] = arrays.add(read)
    return {"before": found, "every": every}


def _reads_back(run: Run) -> bool:
    return run.suffix.endswith("_reverse")


def _node(
    graph: Graph, old: int, place: Mapping[int, int], sizes: Mapping[str, int]
) -> list[Any]:
    """Return an op, its arguments, its attribute and its shape, sizes as numbers."""
    node = graph.nodes[old]
    attr = resolve(node.attr, sizes)
    args = [place[arg] for arg in node.args]
    return [node.op, args, attr, list(numbers(node.shape, sizes))]


def _below(trace: LayerTrace, place: int) -> list[int]:
    """Return the runs whose outputs, side by side, are the input of a run, if any."""
    run = trace.runs[place]
    layers = [each.suffix.removesuffix("_reverse") for each in trace.runs]
    ordered = list(dict.fromkeys(layers))
    at = ordered.index(layers[place])
    if at == 0:
        return []
    found = [i for i, layer in enumerate(layers) if layer == ordered[at - 1]]
    outputs = [_output(trace, trace.runs[i]) for i in found]
    given = run.inputs[run.graph.inputs[0].name]
    known = [value for value in outputs if value is not None]
    if len(known) < len(found):
        return []
    side = torch.cat([value.flatten(2) for value in known], dim=2)
    return found if torch.equal(side, given.flatten(2)) else []


def _is_joined(trace: LayerTrace, run: Run) -> bool:
    """Whether each step begins with the states that the one read before it left.

    A loop round a torch.nn cell may change any of them in between.
    """
    for name, before in run.before.items():
        after = trace[f"{name}'{run.suffix}"]
        pair = (
            (after[1:], before[:-1]) if _reads_back(run) else (after[:-1], before[1:])
        )
        if not torch.equal(*pair):
            return False
    return True


def _output(trace: LayerTrace, run: Run) -> Tensor | None:
    names = {f"{state.name}'": state.next for state in run.graph.states}
    names |= {value.name: value.node for value in run.graph.values}
    for name, node in names.items():
        if node == run.graph.output and name + run.suffix in trace:
            value = trace[name + run.suffix]
            return value if value.dim() > 2 else value.unsqueeze(-1)
    return None


def _horizon(trace: LayerTrace, horizon: Horizon | None) -> list[dict[str, Any]]:
    if horizon is None:
        return []
    return [
        {
            "state": each.state,
            "norms": each.norms.tolist(),
            "reach": each.reach,
            "finding": each.finding,
        }
        for each in horizon.states
        if each.layer == trace.layer
    ]
