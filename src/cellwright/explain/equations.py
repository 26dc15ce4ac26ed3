"""A cell in the terminal: its declarations, its equations, what each quantity is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace

from rich.text import Text

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import shape_text
from cellwright.language.cell import Cell
from cellwright.language.views import DeclarationView, EquationView
from cellwright.passes.classify import classify

from .cell_facts import one_line, output_name
from .columns import LABEL, Line, layout
from .counts import count_at, formula, legend, parameter_count

CLASSES = {
    "linear": "the next state is affine in the state, unit by unit",
    "elementwise": "a unit's next state hangs on its own states only",
    "recurrent": "a unit's next state hangs on those of other units",
}


def equations_view(
    cell: Cell,
    width: int,
    graph: Graph | None = None,
    sizes: Mapping[str, int] | None = None,
) -> list[Text]:
    """Return a cell as lines for a terminal.

    Args:
        cell: the cell; bases are laid under it, and what they wrote says so.
        width: columns of the terminal.
        graph: its graph with other counts; its own if None.
        sizes: where given, the number of parameters is computed for them too.

    Raises:
        SizeError: when ``sizes`` lack one or do not fit.
    """
    outside = [row for row in cell.declarations if not row.in_block]
    declared = [*map(_declaration, outside), _output(cell)]
    return [
        *_head(cell, width),
        Text(),
        *layout(declared, width),
        Text(),
        *layout(list(_body(cell)), width),
        Text(),
        *layout(list(_foot(graph or cell.graph, sizes)), width),
    ]


def _head(cell: Cell, width: int) -> Iterator[Text]:
    indent = " " * (len(cell.name) + 2)
    bases = [source.name for source in reversed(cell.chain[:-1])]
    said = [cell.title, *(line for line in cell.references if line != cell.title)]
    if bases:
        said.append("extends " + ", which extends ".join(bases))
    lines = [
        line
        for text in said
        for line in textwrap.wrap(text, max(20, width - len(indent)))
    ]
    for row, line in enumerate(lines or [""]):
        start = Text().append(f"{cell.name}  ", LABEL) if row == 0 else Text(indent)
        yield start.append(line)


def _declaration(row: DeclarationView) -> Line:
    shape = f" {row.shape}" if row.shape else ""
    value = f" = {one_line(row.value)}" if row.value else ""
    code = f"{', '.join(row.names)}{shape}{value}"
    return Line(f"{row.kind:10}", code, row.description)


def _output(cell: Cell) -> Line:
    shape = cell.graph.output_shape
    words = f" {shape_text(shape)}" if shape else ""
    return Line(f"{'output':10}", output_name(cell) + words)


def _body(cell: Cell) -> Iterator[Line]:
    pads = [_pad(cell, inside) for inside in (False, True)]
    inside = False
    for row in cell.equations:
        if row.in_block and not inside:
            yield Line("", cell.block)
            for own in cell.declarations:
                if own.in_block:
                    line = _declaration(own)
                    yield replace(line, label=f"    {own.kind:{len('weight')}} ")
        inside = row.in_block
        names = ", ".join(row.names).ljust(pads[inside])
        label = f"    {names} = " if inside else f"{names} = "
        yield Line(label, one_line(row.text), _note(row, cell))


def _pad(cell: Cell, in_block: bool) -> int:
    """Return the width of the names left of =; those of a split stand out."""
    rows = (row for row in cell.equations if row.in_block == in_block)
    return max((len(row.names[0]) for row in rows if len(row.names) == 1), default=0)


def _foot(graph: Graph, sizes: Mapping[str, int] | None) -> Iterator[Line]:
    found = classify(graph)
    yield Line("class       ", found, CLASSES[found])
    count = parameter_count(graph)
    counts = "".join(f", {name} = {value}" for name, value in graph.counts)
    meaning = legend([count])
    yield Line("parameters  ", formula(count), f"{meaning}{counts}".removeprefix(", "))
    if sizes:
        listed = ", ".join(f"{name}={value}" for name, value in sizes.items())
        yield Line(" " * 12, f"{count_at(graph, sizes):,}", listed)


def _note(row: EquationView, cell: Cell) -> str:
    inherited = row.origin != cell.name
    return (
        f"{row.description} (from {row.origin})".strip()
        if inherited
        else row.description
    )
