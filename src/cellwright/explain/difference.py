"""What differs between two cells: name by name, and in the number of parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from cellwright.ir.graph import Constant, Graph, Input, Parameter, State, Value
from cellwright.ir.sizes import Size
from cellwright.language.cell import Cell

from .cell_facts import one_line, output_name
from .counts import parameter_count

Row = TypeVar("Row", Input, State, Parameter, Constant, Value)

INDENT = "    "
"""What stands before a statement of the for block."""


@dataclass(frozen=True, slots=True)
class Change:
    """A name that the two cells say differently.

    Attributes:
        name: The name, with its prime.
        before: Its statement in the first cell; empty where it has none.
        after: Its statement in the second.
    """

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two cells.

    Attributes:
        changes: Every name that is said differently, in the order of the second cell.
        same: Names of the equations that both have.
        added: Parameters of the second cell only.
        removed: Parameters of the first cell only.
        resized: Parameters whose shape differs.
        counts: Numbers of parameters of both.
        equal: Whether both have the same graph, or say the same: titles, comments and
            spaces do not count.
    """

    changes: tuple[Change, ...]
    same: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    resized: tuple[str, ...]
    counts: tuple[Size, Size]
    equal: bool


def difference(one: Cell, other: Cell) -> Difference:
    """Compare two cells; bases are laid under both.

    Args:
        one: the cell that changes are counted from.
        other: the cell that they lead to.

    Example:
        >>> import cellwright as cw
        >>> cells = cw.cells.load("peephole_lstm"), cw.cells.load("cifg")
        >>> found = difference(*cells)
        >>> found.changes[-1].after, found.removed[:2]
        ('f = 1 - i', ('W_f', 'U_f'))
    """
    before, after = statements(one), statements(other)
    changes = [
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in _merged(list(before), list(after))
        if _bare(before.get(name, "")) != _bare(after.get(name, ""))
    ]
    changes += _order_changes(one, other)
    equations = [name for row in other.equations for name in row.names]
    changed = {change.name for change in changes}
    shapes = [{p.name: p.shape for p in cell.graph.parameters} for cell in (one, other)]
    first, second = shapes
    return Difference(
        changes=tuple(changes),
        same=tuple(n for n in equations if n in before and n not in changed),
        added=tuple(name for name in second if name not in first),
        removed=tuple(name for name in first if name not in second),
        resized=tuple(n for n in second if n in first and second[n] != first[n]),
        counts=(parameter_count(one.graph), parameter_count(other.graph)),
        equal=not changes or _mute(one.graph) == _mute(other.graph),
    )


def statements(cell: Cell) -> dict[str, str]:
    """Return the statement of every name of a cell, each on one line.

    Args:
        cell: a cell; names that share a statement each get their own.
    """
    found: dict[str, str] = {}
    for row in cell.declarations:
        words = f" {row.shape}" if row.shape else ""
        value = f" = {one_line(row.value)}" if row.value else ""
        indent = INDENT if row.in_block else ""
        found |= {n: f"{indent}{row.kind} {n}{words}{value}" for n in row.names}
    # A keyword: no name of a cell can take its place.
    found["output"] = f"output {output_name(cell)}"
    if cell.block:
        found["for"] = cell.block
    for row in cell.equations:
        text = f"{', '.join(row.names)} = {one_line(row.text)}"
        indent = INDENT if row.in_block else ""
        found |= dict.fromkeys(row.names, indent + text)
    return found


def _merged(one: list[str], other: list[str]) -> list[str]:
    """Return all names in the order of ``other``, each of the rest where it stood."""
    merged = list(other)
    for position, name in enumerate(one):
        if name not in merged:
            before = [n for n in one[:position] if n in merged]
            place = merged.index(before[-1]) + 1 if before else 0
            merged.insert(place, name)
    return merged


def _order_changes(one: Cell, other: Cell) -> list[Change]:
    """The states' order is that of the layer's state; the first input is its x."""
    found: list[Change] = []
    for kind in ("states", "inputs"):
        orders = [
            [row.name for row in getattr(cell.graph, kind)] for cell in (one, other)
        ]
        if orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]):
            texts = [f"order of the {kind}: {', '.join(order)}" for order in orders]
            found.append(Change(f"order of the {kind}", texts[0], texts[1]))
    return found


def _mute(graph: Graph) -> Graph:
    """Return a graph without its name and its descriptions."""

    def mute(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(replace(row, description="") for row in rows)

    return replace(
        graph,
        name="",
        inputs=mute(graph.inputs),
        states=mute(graph.states),
        parameters=mute(graph.parameters),
        constants=mute(graph.constants),
        values=mute(graph.values),
    )


def _bare(statement: str) -> str:
    inside = statement.startswith(INDENT)
    return INDENT * inside + "".join(statement.split())
