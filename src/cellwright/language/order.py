"""The order in which definitions are computed: by what they use, not as written.

A name inside the for block stands once for each micro-step; an *instance* is a name
with the micro-step it belongs to: OUTSIDE the block, or FIRST for the value of a state
before the first step of all. Iterative, as a file may chain a thousand equations.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .definitions import Definition, Definitions
from .report import Report
from .source import PRIME

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
            return [(definition.key, l) for l in range(self.first, self.last + 1)]
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
    definitions: Definitions,
    trees: dict[str, ast.expr | None],
    scoping: Scoping,
    report: Report,
) -> tuple[list[Instance], set[Instance]]:
    """Return the instances so that each stands behind what it uses, and the circles."""
    order: list[Instance] = []
    done: dict[Instance, bool] = {}  # False while the walk is below it
    circular: set[Instance] = set()
    for root in [i for d in definitions.table.values() for i in scoping.instances(d)]:
        if root in done:
            continue
        done[root] = False
        path = [(root, _uses(root, definitions, trees, scoping))]
        while path:
            top, uses = path[-1]
            used = next(uses, None)
            if used is None:
                path.pop()
                done[top] = True
                order.append(top)
            elif used not in done:
                done[used] = False
                path.append((used, _uses(used, definitions, trees, scoping)))
            elif not done[used]:
                way = [instance for instance, _ in path]
                circle = way[way.index(used) :]
                circular.update(circle)
                _note_circle(circle, definitions, report)
    return order, circular


def names(tree: ast.expr | None) -> list[str]:
    """Return the names in an expression, with their primes."""
    if tree is None:
        return []
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return [node.id.replace(PRIME, "'") for node in found]


def _uses(
    instance: Instance,
    definitions: Definitions,
    trees: dict[str, ast.expr | None],
    scoping: Scoping,
) -> Iterator[Instance]:
    name, step = instance
    if definitions.table[name].kind == "state" and step == OUTSIDE:
        return
    for used in names(trees.get(name)):
        meaning = scoping.meaning(used, step)
        if meaning is not None:
            yield meaning


def _note_circle(
    circle: list[Instance], definitions: Definitions, report: Report
) -> None:
    way = " -> ".join(name for name, _ in [*circle, circle[0]])
    span = definitions.table[circle[0][0]].span
    name = circle[0][0]
    before = name.removesuffix("'") + " or its equation"
    fix = f"a value of the step before is a state: {before} may need one"
    report.add("circle", span, f"{way}: each needs the next", fix)
