"""The text of one file, without ``extends``, that says the same cell.

Three things that a cell may inherit cannot be written plainly: a scalar that fills a
vector, a state that nothing reads any more but whose ``s'`` is used, and a part of a
split that nothing uses. A term ``0 * v`` keeps them: it names ``v`` and adds nothing.
For the scalar nothing plainer gives the same graph: ``f = 1`` alone is a number without
a shape, and ``constant f [hidden_size] = 1`` an argument of the layer, which is neither
folded into the equations nor a value to trace.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable
from dataclasses import dataclass

from cellwright.ir.sizes import Shape, shape_text

from .build import Built
from .definitions import Definition
from .names import reach, reach_output
from .source import top_lines
from .views import block_head, shape_as_written, statement_groups

_WIDEST = 12
"""Left sides up to this width are aligned."""


@dataclass(frozen=True)
class _Line:
    """A statement: ``left = right``, or a declaration without ``right``."""

    left: str
    right: str
    description: str
    in_block: bool
    equation: bool


def flat_text(built: Built) -> str:
    """Return the text that reads as the same graph."""
    used = reach_output(built.definitions, built.parsed)
    unread = _unread_states(built, used)
    filled = {key: _shape(built, key) for key in sorted(built.filled & used)}
    sizes = {n for shape in filled.values() for size in shape for n in size.names}
    used = reach(built.definitions, built.parsed, used | unread | sizes)
    used.add("input_size")
    names = _split_names(built, used)
    terms = _terms(built, used, unread, names)
    lines: list[_Line] = []
    for key, shape in filled.items():
        name = _alike(built, used, shape)
        if name is None:
            name = _fresh(key, built.definitions.table)
            left = f"weight   {name} {shape_text(shape)}"
            lines.append(_Line(left, "", "only its shape counts", False, False))
        terms.setdefault(key, []).append(f"0 * {name}")
    groups = statement_groups(built, used)
    lines[:0] = [_line(built, group, names, terms) for group in groups]
    return "\n".join([*_top(built), *_body(built, lines)]) + "\n"


def _unread_states(built: Built, used: set[str]) -> set[str]:
    table = built.definitions.table
    bare = {key.removesuffix("'") for key in used if key.endswith("'")}
    return {s for s in bare - used if s in table and table[s].kind == "state"}


def _split_names(built: Built, used: set[str]) -> dict[str, tuple[str, ...]]:
    """Return what the names of every split are called, by its first used name.

    A name that a child has defined anew gets another one in its old place.
    """
    table = built.definitions.table
    found: dict[str, tuple[str, ...]] = {}
    for group in statement_groups(built, used):
        first = group[0]
        if len(first.targets) > 1:
            fresh: list[str] = []
            for target in first.targets:
                name, now = target, table.get(target)
                if now is None or now.value != first.value:
                    name = _fresh(target.removesuffix("'"), {*table, *fresh})
                fresh.append(name)
            found[first.key] = tuple(fresh)
    return found


def _terms(
    built: Built, used: set[str], unread: set[str], names: dict[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """Return the terms to add to equations: ``0 * c``."""
    table = built.definitions.table
    terms: dict[str, list[str]] = {}
    for state in sorted(unread):
        terms.setdefault(state + "'", []).append(f"0 * {state}")
    for key, parts in names.items():
        lost = [part for part in parts if part not in used]
        reader = _reader(built, used, {p for p in parts if p in used}, table[key])
        if reader is not None:
            terms.setdefault(reader, []).extend(f"0 * sum({name})" for name in lost)
    return terms


def _shape(built: Built, key: str) -> Shape:
    instances = built.scoping.instances(built.definitions.table[key])
    return built.builder.shape(built.nodes[instances[0]])


def _alike(built: Built, used: set[str], shape: Shape) -> str | None:
    """Return a declared name of that shape."""
    for name, definition in built.definitions.table.items():
        declared = definition.kind not in ("equation", "size", "count")
        seen = name in used and declared and not definition.in_block
        if seen and built.shapes[name] == shape:
            return name
    return None


def _fresh(name: str, taken: Container[str]) -> str:
    name += "_"
    while name in taken:
        name += "_"
    return name


def _reader(
    built: Built, used: set[str], parts: Iterable[str], split: Definition
) -> str | None:
    """Return an equation of one name that uses one of ``parts``."""
    for key, definition in built.definitions.table.items():
        reads = not set(parts).isdisjoint(built.parsed.values[key])
        beside = key in used and definition.in_block == split.in_block
        if reads and beside and len(definition.targets) == 1:
            return key
    return None


def _line(
    built: Built,
    group: list[Definition],
    names: dict[str, tuple[str, ...]],
    terms: dict[str, list[str]],
) -> _Line:
    first = group[0]
    right = first.value.text if first.value else ""
    equation = first.kind == "equation"
    if equation:
        left = ", ".join(names.get(first.key, first.targets))
        for term in terms.get(first.key, ()):
            right = _plus(right, built.parsed.tree(first.value), term)
    else:
        listed = ", ".join(definition.key for definition in group)
        left = f"{first.kind:<8} {listed} {shape_as_written(first)}".rstrip()
    return _Line(left, right, first.description, first.in_block, equation)


def _plus(right: str, tree: ast.expr | None, term: str) -> str:
    if right == "0":
        return term
    if isinstance(tree, ast.Compare):
        right = f"({right})"
    return f"{right} + {term}"


def _top(built: Built) -> list[str]:
    lines = [line.rstrip() for line in top_lines(built.definitions.source.text)]
    text = "\n".join(lines).strip("\n")
    return [text, ""] if text else []


def _body(built: Built, lines: list[_Line]) -> list[str]:
    lefts = [len(x.left) for x in lines if x.equation and len(x.left) <= _WIDEST]
    width = max(lefts, default=0)
    declared = [x for x in lines if not x.equation and not x.in_block]
    written = [_written(line, width) for line in declared]
    written += [f"output   {built.definitions.output_key}", ""]
    head = block_head(built)
    for line in lines:
        if line.in_block and head:
            written.append(head)
            head = ""
        if line.in_block or line.equation:
            written.append("    " * line.in_block + _written(line, width))
    return written


def _written(line: _Line, width: int) -> str:
    left = line.left.ljust(width) if line.equation else line.left
    text = f"{left} = {line.right}" if line.right else left
    return f"{text}  # {line.description}" if line.description else text
