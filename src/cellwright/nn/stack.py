"""Run layers and directions of a cell on top of one another, by the reference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cellwright.backends.reference.interpret import Arguments, first_states, run
from cellwright.ir.graph import Graph


def run_stack(
    graph: Graph,
    rows: Sequence[Sequence[Arguments]],
    x: Tensor,
    given: Sequence[Tensor] | None,
    dropout: float,
    further: Sequence[Tensor] = (),
) -> tuple[Tensor, list[Tensor]]:
    """Run layers over a sequence, each over the output of the one below.

    Args:
        graph: the cell.
        rows: for every layer, the arguments of each of its directions.
        x: the input of the lowest layer.
        given: first states, each with a row a layer and direction; what the cell
            declares when it is None.
        dropout: share of a lower layer's output that is dropped; 0 in evaluation.
        further: the cell's other inputs, the same in every layer.

    Returns:
        The output of the last layer, and the last states.

    Shape:
        - x: ``[T, B, I]``
        - given, and the states returned: ``[L*D, B, H]``
    """
    last: list[list[Tensor]] = [[] for _ in graph.states]
    for layer, directions in enumerate(rows):
        if layer > 0:
            x = F.dropout(x, dropout, training=dropout > 0)
        outputs: list[Tensor] = []
        for direction, arguments in enumerate(directions):
            row = layer * len(directions) + direction
            first = None if given is None else [state[row] for state in given]
            sequence = [v.flip(0) if direction else v for v in (x, *further)]
            output, states = _direction(graph, arguments, sequence, first)
            outputs.append(output.flip(0) if direction else output)
            for kept, state in zip(last, states, strict=True):
                kept.append(state)
        x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
    return x, [torch.stack(kept) for kept in last]


def _direction(
    graph: Graph,
    arguments: Arguments,
    inputs: list[Tensor],
    first: list[Tensor] | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one direction; between layers a scalar has an axis of one feature."""
    x = inputs[0]
    if first is None:
        declared = first_states(graph, arguments, x)
        first = [value.expand(x.shape[1], *value.shape) for value in declared]
    if not graph.inputs[0].shape:
        inputs = [x.squeeze(-1), *inputs[1:]]
    result = run(graph, arguments, inputs, first)
    output = result.output if graph.output_shape else result.output.unsqueeze(-1)
    return output, result.states
