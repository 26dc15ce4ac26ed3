"""Everything that is known of a cell before it runs, as plain data for JSON."""

from __future__ import annotations

import re
from typing import Any

from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell
from cellwright.passes.classify import classify

from .counts import formula, parameter_count


def brief(cell: Cell) -> dict[str, Any]:
    """Return one row of the list of cells.

    Args:
        cell: any cell.

    Example:
        >>> import cellwright as cw
        >>> row = brief(cw.cells.load("lstm"))
        >>> row["states"], row["class"], row["parameters"]["formula"]
        (['h', 'c'], 'recurrent', '4HI + 4H² + 4H')
    """
    count = parameter_count(cell.graph)
    return {
        "name": cell.name,
        "title": cell.title,
        "family": cell.family,
        "year": cell.year,
        "states": [state.name for state in cell.graph.states],
        "class": classify(cell.graph),
        "parameters": {"formula": formula(count), "polynomial": str(count)},
    }


def facts_of_cell(cell: Cell) -> dict[str, Any]:
    """Return everything that the views show, as plain data.

    Args:
        cell: any cell.
    """
    graph = cell.graph
    whole = brief(cell)
    return {
        **whole,
        "references": list(cell.references),
        "bases": [source.name for source in reversed(cell.chain[:-1])],
        "output": {"name": output_name(cell), "shape": _shape(graph.output_shape)},
        "declarations": [
            {
                "kind": row.kind,
                "names": list(row.names),
                "shape": row.shape,
                "value": row.value,
                "description": row.description,
                "in_block": row.in_block,
                "from": row.origin,
            }
            for row in cell.declarations
        ],
        "block": cell.block,
        "equations": [
            {
                "names": list(row.names),
                "text": one_line(row.text),
                "description": row.description,
                "in_block": row.in_block,
                "from": row.origin,
            }
            for row in cell.equations
        ],
        "parameters": {
            **whole["parameters"],
            "tensors": [
                {"name": p.name, "role": p.role, "shape": _shape(p.shape)}
                for p in graph.parameters
            ],
        },
    }


def output_name(cell: Cell) -> str:
    """Return the name that a cell's ``output`` statement gives, ``h'``."""
    found = re.search(r"^output\s+(\w+'?)", cell.flat_text, re.MULTILINE)
    assert found is not None, f"{cell.name} has no output"
    return found[1]


def one_line(text: str) -> str:
    r"""Return an expression without its line breaks.

    Example:
        >>> one_line("where(a,\n      b, c)")
        'where(a, b, c)'
    """
    return " ".join(text.split())


def _shape(shape: Shape) -> list[str]:
    return [str(size) for size in shape]
