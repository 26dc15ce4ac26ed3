"""What a cell says after its bases are laid under it: for people, not for kernels.

Here are the equations and declarations that reach the output, in the order of the
graph, with their texts as their files have them.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .build import Built
from .definitions import Definition
from .fragment import Fragment
from .names import reach_output


@dataclass(frozen=True, slots=True)
class EquationView:
    """An equation as it is written.

    Args:
        names: the names on the left, with their primes; several only for a split.
        text: the right side as written, line breaks included.
        tree: its parse; a prime is U+02B9 there, so ``c'`` is the name ``cʹ``.
        description: its trailing comment, or that of the definition it replaces.
        in_block: whether it stands in the for block.
        origin: name of the cell whose file it stands in.
        replaces_constant: whether a base declares its name as a constant.
    """

    names: tuple[str, ...]
    text: str
    tree: ast.expr
    description: str
    in_block: bool
    origin: str
    replaces_constant: bool


@dataclass(frozen=True, slots=True)
class DeclarationView:
    """A declaration as it is written; names of one statement stand together.

    Args:
        kind: ``size``, ``count``, ``input``, ``state``, ``weight``, ``bias`` or
            ``constant``.
        names: the declared names.
        shape: the shape as written, brackets included; empty for a scalar.
        value: what stands behind ``=``; empty when nothing does.
        description: its trailing comment, or that of the definition it replaces.
        in_block: whether it stands in the for block.
        origin: name of the cell whose file it stands in.
    """

    kind: str
    names: tuple[str, ...]
    shape: str
    value: str
    description: str
    in_block: bool
    origin: str


def equations(built: Built) -> tuple[EquationView, ...]:
    """Return the equations that reach the output."""
    return tuple(s for s in _statements(built) if isinstance(s, EquationView))


def declarations(built: Built) -> tuple[DeclarationView, ...]:
    """Return the declarations that reach the output."""
    return tuple(s for s in _statements(built) if isinstance(s, DeclarationView))


def block_head(built: Built) -> str:
    """Return the head of the for block if something in it reaches the output."""
    block = built.definitions.block
    used = any(statement.in_block for statement in _statements(built))
    if block is None or not used:
        return ""
    return f"for {block.index.text} in {block.first}..{block.count.text}:"


def _statements(built: Built) -> list[EquationView | DeclarationView]:
    """Return the statements that reach the output, in the order of the graph."""
    used = reach_output(built.definitions, built.parsed) | {"input_size"}
    return [_view(built, group) for group in statement_groups(built, used)]


def statement_groups(built: Built, used: set[str]) -> list[list[Definition]]:
    """Return the definitions of the names ``used``; those of one statement together."""
    groups: list[list[Definition]] = []
    splits: dict[Fragment, list[Definition]] = {}
    for key, definition in built.definitions.table.items():
        if key not in used:
            continue
        if definition.kind == "equation":
            assert definition.value is not None
            if definition.value in splits:
                splits[definition.value].append(definition)
                continue
            groups.append([definition])
            splits[definition.value] = groups[-1]
        elif groups and _one_statement(groups[-1][-1], definition):
            groups[-1].append(definition)
        else:
            groups.append([definition])
    return groups


def _one_statement(one: Definition, other: Definition) -> bool:
    return (
        one.kind == other.kind
        and one.span.source == other.span.source
        and one.shape == other.shape
        and one.value == other.value
        and one.in_block == other.in_block
        and one.description == other.description
        and one.kind not in ("size", "count")
        and one.span.line == other.span.line
    )


def _view(built: Built, group: list[Definition]) -> EquationView | DeclarationView:
    first = group[0]
    origin = first.span.source.name
    if first.kind == "equation":
        tree = built.parsed.tree(first.value)
        assert tree is not None
        assert first.value is not None
        text = first.value.text
        note, inside = first.description, first.in_block
        former = first.replaces_constant
        return EquationView(first.targets, text, tree, note, inside, origin, former)
    names = tuple(definition.key for definition in group)
    value = first.value.text if first.value else ""
    note, inside = first.description, first.in_block
    shape = shape_as_written(first)
    return DeclarationView(first.kind, names, shape, value, note, inside, origin)


def shape_as_written(definition: Definition) -> str:
    """Return ``[i: hidden_size]``, or nothing for a scalar."""
    dims = [
        (f"{dim.index.text}: " if dim.index else "") + dim.size.text
        for dim in definition.shape or ()
    ]
    return f"[{', '.join(dims)}]" if dims else ""
