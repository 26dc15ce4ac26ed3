"""Write phases that are done together, all of them for one row after the other.

What is made of a whole row, as its mean is, and what reads that, is at hand while
nobody goes to another row: a number of the row stays in a register, a vector that is
only summed up is laid nowhere, and a part of a longer vector is written to its place
there. And threads that share every phase out would wait for one another between two of
these longer than a row takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from cellwright.passes.phases import Loop, Phase, Schedule, Whole
from cellwright.passes.roots import made_of, value_args

REDUCTIONS = {"row_sum": "row_total", "row_max": "row_largest"}
"""What makes a number of a row, as functions of `rows.h`."""


def together(phases: Sequence[Phase]) -> Iterable[Sequence[Phase]]:
    """Yield phases that are done together.

    Phases with products stay alone, where rows share what is read of the weights.
    """
    for has_products, run in groupby(phases, _has_products):
        found = [*run]
        of_rows = any(isinstance(each, Whole) or not each.shape for each in found)
        if has_products or not of_rows:
            yield from ([each] for each in found)
        else:
            yield found


def _has_products(phase: Phase) -> bool:
    return isinstance(phase, Loop) and bool(phase.accumulators)


Readers = Mapping[int, set[int]]
"""Who reads a node."""


class Together:
    """What some phases that are done together need not lay into memory.

    Args:
        schedule: that they are of.
        phases: they.
        readers: of all nodes.

    Attributes:
        totals: of vectors that a loop makes, the sums that go along with it.
        inside: nodes that nobody reads from memory.
        parts: of vectors that are put together here: which one, and what stands ahead
            of them in it.
    """

    def __init__(self, schedule: Schedule, phases: Sequence[Phase], readers: Readers):
        nodes = schedule.graph.nodes
        loops = [phase for phase in phases if isinstance(phase, Loop)]
        wholes = [phase.node for phase in phases if isinstance(phase, Whole)]
        made = {node: loop for loop in loops for node in loop.nodes}
        self.totals = {
            nodes[n].args[0]: n
            for n in wholes
            if nodes[n].op == "row_sum" and not nodes[n].shape
            if nodes[n].args[0] in made
        }
        self.inside: set[int] = set()
        for node in (n for n in (*made, *wholes) if n in schedule.kept):
            others = readers[node] - {self.totals.get(node)}
            if not nodes[node].shape:
                near = {*made}
            else:
                near = {*made[node].nodes} if node in made else set[int]()
            if others <= near:
                self.inside.add(node)
        self.parts: dict[int, tuple[int, Sequence[int]]] = {}
        for whole in wholes:
            if nodes[whole].op == "concat":
                args = nodes[whole].args
                for at, part in enumerate(args):
                    if part in made and part in schedule.kept:
                        self.parts.setdefault(part, (whole, args[:at]))


_ASKED = -1
"""Reads what is an output, a sum or a next state, and not written where it is made."""


def readers_of(schedule: Schedule) -> Readers:
    """Return who reads a node: itself, a part of it, or it in all of a vector."""
    nodes = schedule.graph.nodes
    states = [state.next for state in schedule.graph.states]
    written = [*schedule.outputs, *schedule.sums, *states]
    found: dict[int, set[int]] = {}

    def note(node: int, reader: int) -> None:
        found.setdefault(node, set()).add(reader)
        if nodes[node].op in ("slice", "fill"):
            note(nodes[node].args[0], reader)

    for reader in made_of(schedule.graph, written):
        for arg in value_args(nodes[reader]):
            note(arg, reader)
    for node in written:
        note(node, _ASKED)
    return found
