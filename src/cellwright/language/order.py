"""The order in which definitions are computed: by what they use, not as written.

A name inside the for block stands once for each micro-step; an *instance* is a name
with the micro-step it belongs to: OUTSIDE the block, or FIRST for the value of a state
before the first step of all. Iterative, as a file may chain a thousand equations.
"""

from __future__ import annotations

from collections.abc import Iterator

from .definitions import Definition, Definitions
from .names import Parsed
from .report import Report

Instance = tuple[str, int]
OUTSIDE = -1
FIRST = -2


class Scoping:
    """Which instance a name means, seen from a micro-step or from outside."""

    def __init__(self, definitions: Definitions, first: int, last: int):
        self._definitions = definitions
        self.first = first
        self.last = last

    def instances(self, definition: Definition) -> list[Instance]:
        """Return every instance of a definition."""
        if definition.in_block:
            return [(definition.key, i) for i in range(self.first, self.last + 1)]
        if definition.kind == "state":
            return [(definition.key, OUTSIDE), (definition.key, FIRST)]
        return [(definition.key, OUTSIDE)]

    def meaning(self, name: str, step: int) -> Instance | None:
        """Return the instance that ``name`` means, seen from ``step``, if any."""
        table = self._definitions.table
        definition = table.get(name)
        primed = name.endswith("'")
        if step >= 0 and not primed and self._definitions.carried(name):
            if step > self.first:
                return (name + "'", step - 1)
            return (name, OUTSIDE) if definition else None
        if definition is None:
            return None
        if not definition.in_block:
            before = step == FIRST and definition.kind == "state"
            return (name, FIRST if before else OUTSIDE)
        if step >= 0:
            return (name, step)
        return (name, self.last) if primed else None


def in_order(
    definitions: Definitions, parsed: Parsed, scoping: Scoping, report: Report
) -> tuple[list[Instance], set[Instance]]:
    """Return the instances so that each stands behind what it uses, and the circles."""
    order: list[Instance] = []
    done: dict[Instance, bool] = {}  # False while the walk is below it
    circular: set[Instance] = set()

    def uses(instance: Instance) -> Iterator[Instance]:
        name, step = instance
        if definitions.table[name].kind == "state" and step == OUTSIDE:
            return
        for used in parsed.values[name]:
            meaning = scoping.meaning(used, step)
            if meaning is not None:
                yield meaning

    # Declarations first, so that the graph does not hang on how a file mixes them.
    roots = sorted(definitions.table.values(), key=lambda d: d.kind == "equation")
    for root in [i for d in roots for i in scoping.instances(d)]:
        if root in done:
            continue
        done[root] = False
        path = [(root, uses(root))]
        while path:
            top, following = path[-1]
            used = next(following, None)
            if used is None:
                path.pop()
                done[top] = True
                order.append(top)
            elif used not in done:
                done[used] = False
                path.append((used, uses(used)))
            elif not done[used]:
                way = [instance for instance, _ in path]
                circle = way[way.index(used) :]
                if circular.isdisjoint(circle):
                    _note_circle(circle, definitions, report)
                circular.update(circle)
    return order, circular


def _note_circle(
    circle: list[Instance], definitions: Definitions, report: Report
) -> None:
    way = " -> ".join(name for name, _ in [*circle, circle[0]])
    definition = definitions.table[circle[0][0]]
    found = f"{way}: each needs the next" if len(circle) > 1 else f"{way}: needs itself"
    name = definition.key.removesuffix("'")
    fix = ""
    if definition.kind == "equation":
        fix = f"if an equation means the value of the step before, make {name} a state"
    report.add("circle", definition.span, found, fix)
