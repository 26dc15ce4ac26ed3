"""First values for a drop-in, whose weights torch.nn packs into a few tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cellwright.backends.reference.initial import initial_values
from cellwright.cells import load
from cellwright.ir.graph import Graph

from .gate_values import gate_values
from .initialise import initialised, matched
from .torch_weights import TORCH, Packing, by_suffix


@torch.no_grad()
def set_packed(
    name: str,
    bias: bool,
    weights: Mapping[str, Tensor],
    init: Mapping[str, str] | None,
    forget_bias: float | None,
    chrono: float | None,
    missing: str,
) -> None:
    """Write what the call says about first values; all else stays as torch drew it.

    Of two bias vectors whose sum counts, the first gets the value and the second 0.

    Args:
        name: of our cell that computes the same.
        bias: whether the layer has biases.
        weights: by torch.nn's names, suffixes included.
        init: see `initialise.init_values`.
        forget_bias: see `gate_values.gate_values`.
        chrono: likewise.
        missing: likewise.

    Raises:
        OptionError, CellError: when something of it does not fit.
    """
    cell = load(name)
    graph, packing = cell.specialise(bias), TORCH[name]
    names = matched(cell, graph, init or {})
    if init:
        graph = initialised(cell, graph, init).specialise(bias)
    for mine in by_suffix(weights).values():
        sizes = _sizes(mine)
        if names:
            kept = _kept(graph, packing, mine, names)
            values, _ = initial_values(graph, sizes, kept)
            for parameter in names:
                _write(packing, mine, parameter, values[parameter])
        gates = gate_values(graph, sizes, forget_bias, chrono, missing)
        for entries, value in gates:
            # No gate of torch.nn's shares a tensor of the cell with another.
            assert entries.window is None
            assert entries.carries
            _write(packing, mine, entries.parameter, value)


def _sizes(mine: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the sizes of one layer, from its own weights."""
    recurrent = mine["weight_hh"].shape[1]
    projection = mine.get("weight_hr")
    return {
        "input_size": mine["weight_ih"].shape[1],
        "hidden_size": recurrent if projection is None else projection.shape[1],
        "proj_size": recurrent,
    }


def _kept(
    graph: Graph, packing: Packing, mine: Mapping[str, Tensor], drawn: list[str]
) -> dict[str, Tensor]:
    """Return the parameters as torch drew them, for what others are computed from."""
    if any(weight.is_meta for weight in mine.values()):
        return {}
    return {
        p.name: torch.stack([piece.of(mine) for piece in packing[p.name]]).sum(0)
        for p in graph.parameters
        if p.name not in drawn
    }


def _write(
    packing: Packing, mine: Mapping[str, Tensor], parameter: str, value: Tensor
) -> None:
    first, *rest = packing[parameter]
    first.of(mine).copy_(value)
    for piece in rest:
        piece.of(mine).zero_()
