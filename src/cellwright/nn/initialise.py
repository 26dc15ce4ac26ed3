"""``init=``: first values of parameters that the call gives in the cell's place.

They are written as declarations of a variant that `extends` the cell would write them,
so they are parsed, checked and drawn as those of any file, and never run as Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby

from cellwright.ir.graph import Graph
from cellwright.language.cell import Cell
from cellwright.language.report import Source, did_you_mean
from cellwright.language.source import top_comment
from cellwright.language.views import DeclarationView

from .errors import OptionError

Init = Mapping[str, str | float]
"""Names of weights and biases, or patterns of names, to what they begin with."""


def init_values(owner: str, value: object) -> dict[str, str] | None:
    """Return the patterns and the text of each first value; None sets none.

    Raises:
        OptionError: when it is no mapping from names to expressions.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise OptionError(
            f"{owner}: init is {value!r}; it maps names of weights and biases, or "
            "patterns, to first values: {'U_*': 'orthogonal', 'b_*': 0}"
        )
    given = {_pattern(owner, k): _expression(owner, k, v) for k, v in value.items()}
    return given or None


def _pattern(owner: str, name: object) -> str:
    if not isinstance(name, str):
        raise OptionError(f"{owner}: init: {name!r} is no name of a weight or a bias")
    return name


def _expression(owner: str, name: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(int(value) if isinstance(value, int) else float(value))
    # One line and no comment: nothing but the value of one declaration.
    if isinstance(value, str) and value.strip() and not set("\n\r#") & set(value):
        return value.strip()
    raise OptionError(
        f"{owner}: init: {name!r} is given {value!r}; a first value is a number or one "
        "expression of the language: 'glorot', 'normal(0, 0.01)'"
    )


def initialised(cell: Cell, graph: Graph, init: Mapping[str, str]) -> Cell:
    """Return the cell with other first values.

    Args:
        cell: the cell.
        graph: with the layer's counts and biases: what it has not, has no first value.
        init: see `init_values`; of several patterns that fit a name the last counts.

    Raises:
        OptionError: for a pattern that fits no weight and no bias.
        CellError: for an expression that is none, or does not fit.

    Example:
        >>> import cellwright as cw
        >>> lstm = cw.cells.load("lstm")
        >>> cell = initialised(lstm, lstm.graph, {"U_*": "orthogonal"})
        >>> [d.names for d in cell.declarations if d.value == "orthogonal"]
        [('U_i', 'U_f', 'U_g', 'U_o')]
    """
    rows = _parameters(cell, graph)
    chosen: dict[str, str] = {}
    for pattern, text in init.items():
        names = [name for name in rows if fnmatchcase(name, pattern)]
        if not names:
            raise OptionError(_no_match(cell, graph, pattern, list(rows)))
        chosen |= dict.fromkeys(names, text)
    inside = {name: row for name, row in rows.items() if row.in_block}
    outside = {name: row for name, row in rows.items() if not row.in_block}
    lines = [f"# {line}" for line in top_comment(cell.text) if line]
    lines += _statements(outside, chosen)
    if block := _statements(inside, chosen):
        lines += [cell.block, *(f"    {line}" for line in block)]
    text = "\n".join(lines) + "\n"
    made = Cell((*cell.chain, Source(cell.name, text, "init")))
    # Faults are told here, not when something first asks for the graph.
    _ = made.graph
    return made


def matched(cell: Cell, graph: Graph, init: Mapping[str, str]) -> list[str]:
    """Return the names of the weights and biases that patterns fit."""
    return [
        name
        for name in _parameters(cell, graph)
        if any(fnmatchcase(name, pattern) for pattern in init)
    ]


def _parameters(cell: Cell, graph: Graph) -> dict[str, DeclarationView]:
    """Return the declared weights and biases that the graph has, by name."""
    labels = {p.name for p in graph.parameters}
    return {
        name: row
        for row in cell.declarations
        for name in row.names
        # In the for block R is R_1, R_2, ... of the graph.
        if (
            any(_micro_step_of(label, name) for label in labels)
            if row.in_block
            else name in labels
        )
    }


def _micro_step_of(label: str, name: str) -> bool:
    return label.startswith(f"{name}_") and label[len(name) + 1 :].isdigit()


def _statements(
    rows: Mapping[str, DeclarationView], chosen: Mapping[str, str]
) -> list[str]:
    """Return declarations, neighbours of one kind, shape and value in one."""

    def alike(name: str) -> tuple[str, str, str]:
        return rows[name].kind, rows[name].shape, chosen[name]

    return [
        f"{kind} {', '.join(names)} {shape} = {value}"
        for (kind, shape, value), names in groupby(
            (name for name in rows if name in chosen), alike
        )
    ]


def _no_match(cell: Cell, graph: Graph, pattern: str, known: Sequence[str]) -> str:
    labels = [p.name for p in graph.parameters if fnmatchcase(p.name, pattern)]
    declared = [n for n in known if any(_micro_step_of(label, n) for label in labels)]
    has = f"it has {', '.join(known)}" if known else "it has none"
    text = f"init: {cell.name} has no weight or bias {pattern!r}: {has}."
    if declared:
        which = ", ".join(declared)
        return f"{text} {which} is declared once for all micro-steps"
    # A pattern is near to a name, or to what stars would make of one.
    stars = [f"{name.partition('_')[0]}_*" for name in known if "_" in name]
    names = [*known, *stars]
    same = [name for name in names if name.lower() == pattern.lower()]
    return f"{text} {did_you_mean(pattern, same or names)}".rstrip()
