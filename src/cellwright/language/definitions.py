"""One definition for every name: the lines of a file laid over those of its bases.

What a child writes replaces the base's definition *in its place*, so the order of the
states, and with it the layer's state tuple, stays. What stands in the for block stands
together: a child's new names of the block come behind the base's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .fragment import Fragment
from .grammar import (
    Block,
    Broken,
    Declaration,
    Declared,
    Dim,
    Equation,
    Extends,
    Line,
    Output,
    parse,
)
from .report import Report, Source, Span
from .source import statements

Kind = Declared | Literal["equation"]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name is.

    Args:
        key: the name, with its prime when it is a value after the step.
        value: right side of an equation, or the first value of what is declared.
        part: which part of a split the name takes.
        targets: the names on the left of its equation.
        own: written by the file itself, not inherited.
        replaces_constant: a base declares the name as a constant.
    """

    key: str
    kind: Kind
    span: Span
    shape: tuple[Dim, ...] | None = None
    value: Fragment | None = None
    part: int = 0
    targets: tuple[str, ...] = ()
    in_block: bool = False
    own: bool = True
    description: str = ""
    replaces_constant: bool = False


@dataclass
class Definitions:
    """Every definition of a cell by name, in order, with its block and its output.

    Args:
        broken: names of statements that could not be read; nothing is said of them.
    """

    source: Source
    table: dict[str, Definition] = field(default_factory=dict[str, Definition])
    block: Block | None = None
    output: Span | None = None
    output_key: str = ""
    base: Definitions | None = None
    broken: set[str] = field(default_factory=set[str])

    def carried(self, key: str) -> bool:
        """Whether ``key`` without prime is carried from micro-step to micro-step."""
        after = self.table.get(key + "'")
        return after is not None and after.in_block

    def without_prime(self, key: str) -> Definition | None:
        """Return the definition of what ``key`` is the value after the step of."""
        return self.table.get(key.removesuffix("'"))


def define(chain: Sequence[Source], report: Report) -> Definitions:
    """Lay the files of a chain, base first, over one another.

    Raises:
        CellError: when a file cannot be read as statements.
    """
    result: Definitions | None = None
    for source in chain:
        lines = parse(statements(source, report), report)
        if report.has("extends", "for-block"):
            report.raise_if_any()  # the names that hang on it would all be unknown
        result = _lay(source, lines, result, report)
    assert result is not None
    return result


def _lay(
    source: Source, lines: list[Line], base: Definitions | None, report: Report
) -> Definitions:
    result = Definitions(source, base=base)
    if base is not None:
        result.table = {k: replace(d, own=False) for k, d in base.table.items()}
        result.block, result.broken = base.block, set(base.broken)
        result.output, result.output_key = base.output, base.output_key
    written: dict[str, Definition] = {}
    outputs: list[Output] = []
    for line in lines:
        match line:
            case Extends():
                pass
            case Broken(names):
                result.broken |= set(names)
            case Output():
                outputs.append(line)
            case Block():
                _lay_block(line, result, report)
            case Declaration() | Equation():
                for definition in _definitions(line):
                    _write(definition, written, report)
    _replace(result, written)
    for output in outputs[1:]:
        report.add("output", output.value.span, "a second output")
    if outputs:
        result.output = outputs[0].value.span
        result.output_key = outputs[0].value.text
    return result


def _definitions(line: Declaration | Equation) -> list[Definition]:
    if isinstance(line, Equation):
        targets = tuple(name.text for name in line.targets)
        return [
            Definition(
                name.text,
                "equation",
                name.span,
                value=line.right,
                part=part,
                targets=targets,
                in_block=line.in_block,
                description=line.comment,
            )
            for part, name in enumerate(line.targets)
        ]
    return [
        Definition(
            name.text,
            line.kind,
            name.span,
            shape=line.shape,
            value=line.value,
            in_block=line.in_block,
            description=line.comment,
        )
        for name in line.names
    ]


def _write(
    definition: Definition, written: dict[str, Definition], report: Report
) -> None:
    key = definition.key
    first = written.get(key)
    if first is not None:
        found = f"{key!r} is defined in line {first.span.line} already"
        after = first.kind == "state" and definition.kind == "equation"
        fix = f"{key}' = ... is its value after the step" if after else ""
        report.add("twice", definition.span, found, fix)
    elif key == "hidden_size" or (key == "input_size" and definition.kind != "size"):
        found = f"{key!r} is a size of every layer"
        report.add("twice", definition.span, found)
    else:
        written[key] = definition


def _replace(result: Definitions, written: dict[str, Definition]) -> None:
    table = result.table
    for key, definition in written.items():
        former = table.get(key)
        if former is not None:
            definition = replace(
                definition,
                description=definition.description or former.description,
                replaces_constant=former.replaces_constant or former.kind == "constant",
            )
            ends = former.kind == "state" and definition.kind != "state"
            if ends and key + "'" not in written:
                table.pop(key + "'", None)
            if former.in_block != definition.in_block:
                del table[key]
        table[key] = definition
    in_block = [key for key, definition in table.items() if definition.in_block]
    if not in_block or not written:
        return
    keys = list(table)
    start = keys.index(in_block[0])
    after = [key for key in keys[start:] if not table[key].in_block]
    result.table = {key: table[key] for key in [*keys[:start], *in_block, *after]}


def _lay_block(block: Block, result: Definitions, report: Report) -> None:
    former = result.block
    if former is not None:
        same = (block.index.text, block.first, block.count.text)
        if same != (former.index.text, former.first, former.count.text):
            head = f"for {former.index.text} in {former.first}..{former.count.text}:"
            found = "a for block that is not the base's"
            report.add("for-block", block.index.span, found, head)
    result.block = block
