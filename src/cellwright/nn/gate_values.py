"""First values of the biases of gates: ``forget_bias`` and ``chrono``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real

import torch
from torch import Tensor

from cellwright.ir.graph import Graph

from .errors import OptionError
from .gate_bias import FORGET, INPUT, BiasSlice, gate_biases

LARGEST = torch.finfo(torch.float32).max
Filled = list[tuple[BiasSlice, Tensor]]
"""Entries of biases, and the value of the gate that they belong to."""


def forget_bias_value(owner: str, value: object) -> float | None:
    """Return the first value of a forget gate's biases; None sets none.

    Raises:
        OptionError: when it is no finite number.
    """
    if value is None:
        return None
    number = _number(value)
    if isinstance(value, bool) or not abs(number) <= LARGEST:
        raise OptionError(
            f"{owner}: forget_bias is None or a finite number of float32; found "
            f"{_shown(value)}"
        )
    return number


def chrono_value(owner: str, value: object, forget_bias: float | None) -> float | None:
    """Return the longest dependency that gates are to begin with; None sets none.

    Raises:
        OptionError: when it is no number of steps, or the forget gate's bias has a
            value already.
    """
    if value is None:
        return None
    # True counts as 1 and so is refused too.
    steps = _number(value)
    if not 2 <= steps < math.inf:
        raise OptionError(
            f"{owner}: chrono is None or the number of steps of the longest "
            f"dependency, from 2 on; found {_shown(value)}"
        )
    if forget_bias is not None:
        raise OptionError(
            f"{owner}: forget_bias and chrono both give the forget gate's bias its "
            "first value; give one of them"
        )
    return steps


def _number(value: object) -> float:
    """Return a number as a float, infinite if it is too large; NaN if it is none."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:20]}... ({len(text)} characters)"


def gate_values(
    graph: Graph,
    sizes: Mapping[str, int],
    forget_bias: float | None,
    chrono: float | None,
    missing: str = "",
) -> Filled:
    """Return which entries of a cell's biases get which first values.

    Args:
        graph: the cell.
        sizes: every named size as a whole number.
        forget_bias: of every forget gate, see `forget_bias_value`.
        chrono: see `chrono_values`.
        missing: what an error says of a cell that has no such gate, if not that its
            file names none.

    Raises:
        OptionError: when no gate can be given what is asked for.
    """
    missing = missing or (
        f"{graph.name} names no forget gate with a bias (an equation described as "
        "'# forget gate')"
    )
    if chrono is not None:
        return chrono_values(graph, sizes, chrono, missing)
    if forget_bias is None:
        return []
    gates = gate_biases(graph, FORGET, "forget_bias")
    found = [bias for biases in gates.values() for bias in biases]
    if not found:
        raise OptionError(f"forget_bias={forget_bias}: {missing}")
    value = torch.tensor(forget_bias, dtype=torch.float64, device="cpu")
    return [(bias, value) for bias in found]


def chrono_values(
    graph: Graph, sizes: Mapping[str, int], longest: float, missing: str
) -> Filled:
    """Draw biases so that each unit forgets at a pace of its own.

    Tallec & Ollivier, 2018, "Can recurrent neural networks warp time?",
    arXiv:1804.11188: a forget gate's bias is log(u) with u drawn evenly from 1 to
    ``longest - 1``, and the input gate's is minus that: the unit keeps u / (1 + u) at a
    step and takes 1 / (1 + u), so it remembers for about u + 1 steps.

    A gate that is 1 less the other one has no bias of its own and needs none.

    Args:
        graph: the cell; gates are what it describes as a forget gate or an input gate.
        sizes: every named size as a whole number.
        longest: the longest dependency, in steps.
        missing: what an error says of a cell that has no such gate.

    Raises:
        OptionError: when the cell has no forget gate with a bias, or its gates are
            not pairs, or share a bias.
    """
    forget = gate_biases(graph, FORGET, "chrono")
    take = gate_biases(graph, INPUT, "chrono")
    coupled = [
        ([], take.pop(other))
        for gate in forget
        if not forget[gate] and (other := _complement(graph, gate, take)) is not None
    ]
    own = [biases for biases in forget.values() if biases]
    others = [biases for biases in take.values() if biases]
    if not own and not coupled:
        raise OptionError(f"chrono={longest:g}: {missing}; init= sets any bias")
    if others and len(others) != len(own):
        raise OptionError(
            f"chrono={longest:g}: {graph.name} has {len(own)} forget gates and "
            f"{len(others)} input gates with biases of their own, and they are to be "
            "pairs; init= sets any bias"
        )
    pairs = [*zip(own, others or [[]] * len(own), strict=True), *coupled]
    found: Filled = []
    for keeps, takes in pairs:
        _check_apart(graph, keeps, takes, longest)
        value = _draw(graph, sizes, keeps or takes, longest)
        found += [(bias, value) for bias in keeps]
        found += [(bias, -value) for bias in takes]
    return found


def _complement(
    graph: Graph, gate: str, others: Mapping[str, Sequence[BiasSlice]]
) -> str | None:
    """Return which of other gates with a bias this gate is 1 less, if any."""
    places = {value.name: value.node for value in graph.values}
    node = graph.nodes[places[gate]]
    if node.op != "sub":
        return None
    one = graph.nodes[node.args[0]]
    if one.op != "const" or one.attr != 1:
        return None
    return next((g for g in others if others[g] and places[g] == node.args[1]), None)


def _check_apart(
    graph: Graph, keeps: list[BiasSlice], takes: list[BiasSlice], longest: float
) -> None:
    for bias in takes:
        if any(bias.overlaps(other) for other in keeps):
            raise OptionError(
                f"chrono={longest:g}: {graph.name}'s forget gate and input gate share "
                f"{bias.parameter}, and their biases are to be opposite; set it "
                "yourself"
            )


def _draw(
    graph: Graph, sizes: Mapping[str, int], biases: list[BiasSlice], longest: float
) -> Tensor:
    carrier = next(bias for bias in biases if bias.carries)
    shape = carrier.shape(graph, sizes)
    # As all first values: the same under a seed on every device and in every dtype.
    drawn = torch.empty(shape, dtype=torch.float64, device="cpu")
    return drawn.uniform_(1, longest - 1).log()
