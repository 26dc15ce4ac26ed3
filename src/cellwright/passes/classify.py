"""Class a cell by the degree of its next states in its states.

A *linear* cell's next states are affine in its states, unit by unit: a scan over time
can run it in parallel. An *elementwise* cell bends them, still unit by unit: its
backward recurrence can. A *recurrent* cell mixes units and needs the loop.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from cellwright.ir.graph import Graph, Node
from cellwright.ir.ops import OPS

CellClass = Literal["linear", "elementwise", "recurrent"]


class Degree(IntEnum):
    """How a node hangs on the states before the step; a greater one covers the less."""

    NONE = 0
    """Not at all."""
    AFFINE = 1
    """Unit by unit, as ``a * s + b`` where neither a nor b hangs on a state."""
    BENT = 2
    """Unit by unit, in any other way."""
    MIXING = 3
    """A unit hangs on the states of other units."""


def classify(graph: Graph) -> CellClass:
    """Return the class of a cell.

    Args:
        graph: the cell; what folding removes (a gate set to 1) no longer counts.

    Returns:
        ``"linear"``, ``"elementwise"`` or ``"recurrent"``.
    """
    found = degrees(graph)
    match max((found[state.next] for state in graph.states), default=Degree.NONE):
        case Degree.NONE | Degree.AFFINE:
            return "linear"
        case Degree.BENT:
            return "elementwise"
        case Degree.MIXING:
            return "recurrent"


def degrees(graph: Graph) -> list[Degree]:
    """Return the degree of every node of a graph."""
    found: list[Degree] = []
    for node in graph.nodes:
        found.append(_degree(node, [found[arg] for arg in node.args]))
    return found


def _degree(node: Node, args: list[Degree]) -> Degree:
    if node.op == "state":
        return Degree.AFFINE
    highest = max(args, default=Degree.NONE)
    if highest in (Degree.NONE, Degree.MIXING):
        return highest
    # What no rule below names bends the state or, when it is not elementwise, mixes it:
    # a new op is never taken for linear by forgetting it here.
    match node.op, args:
        case (("add" | "sub" | "neg" | "fill"), _):
            return highest
        case "mul", ([Degree.NONE, other] | [other, Degree.NONE]):
            return other
        case "div", [above, Degree.NONE]:
            return above
        case "where", [Degree.NONE, yes, no]:
            return max(yes, no)
        case _ if OPS[node.op].kind == "elementwise":
            # A surrogate too, also of an affine value: its slope is not its value's, so
            # a scan whose coefficients are derivatives would compute something else.
            return Degree.BENT
        case _:
            return Degree.MIXING
