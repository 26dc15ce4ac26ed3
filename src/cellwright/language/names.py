"""The parsed text of every definition, and the names that it uses."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from .definitions import Definition, Definitions
from .fragment import PRIME, Fragment
from .report import Report


@dataclass
class Parsed:
    """Trees by the text they are made from, and names by definition.

    Args:
        trees: the parse of a fragment; None where it is at fault.
        values: the names that a definition's right side or first value uses.
        dims: the names in its shape.
    """

    trees: dict[Fragment, ast.expr | None] = field(
        default_factory=dict[Fragment, "ast.expr | None"]
    )
    values: dict[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    dims: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def tree(self, fragment: Fragment | None) -> ast.expr | None:
        """Return the parse of a fragment, None where there is none."""
        return None if fragment is None else self.trees[fragment]


def parse_all(definitions: Definitions, report: Report) -> Parsed:
    """Parse every expression of a cell once."""
    parsed = Parsed()
    found: dict[Fragment, tuple[str, ...]] = {}

    def names(fragment: Fragment | None) -> tuple[str, ...]:
        if fragment is None:
            return ()
        if fragment not in found:
            parsed.trees[fragment] = fragment.parse(report)
            found[fragment] = names_in(parsed.trees[fragment])
        return found[fragment]

    for key, definition in definitions.table.items():
        hidden = {d.index.text for d in definition.shape or () if d.index is not None}
        used = names(definition.value)
        parsed.values[key] = tuple(n for n in used if n not in hidden)
        dims = [names(dim.size) for dim in definition.shape or ()]
        parsed.dims[key] = tuple(name for each in dims for name in each)
    return parsed


def names_in(tree: ast.expr | None) -> tuple[str, ...]:
    """Return the names in an expression, each once, with their primes."""
    if tree is None:
        return ()
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(node.id.replace(PRIME, "'") for node in found))


def reach_output(definitions: Definitions, parsed: Parsed) -> set[str]:
    """Return every name that reaches the output by the text alone."""
    return reach(definitions, parsed, {definitions.output_key})


def reach(definitions: Definitions, parsed: Parsed, roots: set[str]) -> set[str]:
    """Return every name that ``roots`` hang on by the text alone, through any steps."""
    seen: set[str] = set()
    stack = list(roots)
    while stack:
        key = stack.pop()
        definition = definitions.table.get(key)
        if key not in seen and definition is not None:
            seen.add(key)
            stack += _next(definitions, definition, parsed.values, parsed.dims)
    return seen


def _next(
    definitions: Definitions,
    definition: Definition,
    values: Mapping[str, tuple[str, ...]],
    dims: Mapping[str, tuple[str, ...]],
) -> list[str]:
    key = definition.key
    used = [*values[key], *dims[key]]
    if definition.kind == "state" or definitions.carried(key):
        used.append(key + "'")
    if definition.in_block and definitions.block is not None:
        used.append(definitions.block.count.text)
        if key.endswith("'"):
            used.append(key.removesuffix("'"))
    return used
