"""Read the statements of a file: their form only, not what the names mean."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from .functions import FUNCTIONS
from .report import Report, Span, did_you_mean
from .source import KEYWORDS, Fragment, Statement

DECLARATIONS = ("size", "count", "input", "state", "weight", "bias", "constant")
_TAKEN = {*KEYWORDS, "inf", "pi"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Name:
    """A name where it stands; ``text`` includes its prime."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Extends:
    """``extends NAME``."""

    base: Name


@dataclass(frozen=True, slots=True)
class Declaration:
    """``kind NAMES [shape] = value``; ``shape`` is None where none is written."""

    kind: str
    names: tuple[Name, ...]
    shape: tuple[Dim, ...] | None
    value: Fragment | None
    comment: str
    in_block: bool = False


@dataclass(frozen=True, slots=True)
class Dim:
    """One axis of a shape: its size, and the name of its running index if it has one."""

    index: Name | None
    size: Fragment


@dataclass(frozen=True, slots=True)
class Equation:
    """``target, ... = expression``."""

    targets: tuple[Name, ...]
    right: Fragment
    comment: str
    in_block: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """``output value``."""

    value: Name


@dataclass(frozen=True, slots=True)
class Block:
    """The head of a ``for`` block; what stands inside is marked ``in_block``."""

    index: Name
    first: int
    count: Name


Line = Extends | Declaration | Equation | Output | Block


def parse(found: list[Statement], report: Report) -> list[Line]:
    """Return the lines of a file; those that are not of the language are noted."""
    lines: list[Line] = []
    block_indent: int | None = None
    block = False  # a head that is at fault still has its lines
    for statement in found:
        inside = statement.indent > 0
        if not inside:
            block, block_indent = statement.fragment.text.startswith("for "), None
        elif not block or (block_indent or statement.indent) != statement.indent:
            fix = "a line goes on only while a bracket is open"
            place = statement.fragment.span(0, 1)
            report.add("indentation", place, "an indented line", fix)
            continue
        else:
            block_indent = statement.indent
        line = _line(statement, inside, report)
        if line is not None:
            lines.append(line)
    _check_extends(lines, report)
    return lines


def _line(statement: Statement, inside: bool, report: Report) -> Line | None:
    fragment = statement.fragment
    word = re.match(r"[A-Za-z]*", fragment.text)
    kind = word.group() if word else ""
    rest = fragment.cut(len(kind))
    if kind in ("extends", "output", "for", "size", "count", "input") and inside:
        found = f"{kind} inside a for block"
        report.add("statement", fragment.span(0, len(kind)), found, "write it outside")
        return None
    if kind in DECLARATIONS and re.match(r"\s", fragment.text[len(kind) :] or " "):
        return _declaration(kind, rest, statement.comment, inside, report)
    match kind:
        case "extends":
            base = _one_name(rest, report, "extends")
            return base and Extends(base)
        case "output":
            value = _one_name(rest, report, "output", primed=True)
            return value and Output(value)
        case "for":
            return _block(fragment, report)
        case _:
            return _equation(fragment, statement.comment, inside, report)


def _one_name(
    rest: Fragment, report: Report, code: str, primed: bool = False
) -> Name | None:
    if not re.fullmatch(_NAME.pattern + ("'?" if primed else ""), rest.text):
        found = f"{rest.text!r} is not one name" if rest.text else "no name"
        report.add(code, rest.span(), found)
        return None
    return Name(rest.text, rest.span())


def _block(fragment: Fragment, report: Report) -> Block | None:
    form = re.fullmatch(
        r"for\s+([A-Za-z]\w*)\s+in\s+(\d+)\s*\.\.\s*([A-Za-z]\w*)\s*:", fragment.text
    )
    if form is None or len(form[2]) > 4:
        found = f"{fragment.text!r}"
        report.add("for-block", fragment.span(), found, "for l in 1..depth:")
        return None
    index = Name(form[1], fragment.span(*form.span(1)))
    if not _name_fits(index, report):
        return None
    count = Name(form[3], fragment.span(*form.span(3)))
    return Block(index, int(form[2]), count)


def _declaration(
    kind: str, rest: Fragment, comment: str, inside: bool, report: Report
) -> Declaration | None:
    left, value = _split_at_equals(rest)
    bracket = left.text.find("[")
    names = left if bracket < 0 else left.cut(0, bracket)
    shape: tuple[Dim, ...] | None = None
    if bracket >= 0:
        if not left.text.endswith("]") or left.text.count("[") > 1:
            fix = "write a second statement for a second shape"
            report.add("one-shape", left.span(bracket), f"{left.text!r}", fix)
            return None
        inner = left.cut(bracket + 1, len(left.text) - 1)
        shape = tuple(_dim(part, report) for part in _parts(inner))
    found = _names(names, report)
    if not found or not _value_fits(kind, rest, shape, value, report):
        return None
    return Declaration(kind, found, shape, value, comment, inside)


def _value_fits(
    kind: str,
    rest: Fragment,
    shape: tuple[Dim, ...] | None,
    value: Fragment | None,
    report: Report,
) -> bool:
    if value is None and kind in ("count", "constant"):
        report.add("needs-value", rest.span(), f"{kind} {rest.text} has none")
        return False
    if value is not None and not value.text:
        report.add("expression", value.span(), "nothing stands after =")
        return False
    if value is not None and kind == "input":
        report.add("needs-no-value", value.span(), f"an input with {value.text!r}")
        return False
    if shape is not None and kind in ("size", "count"):
        report.add("needs-no-value", rest.span(), f"a {kind} with a shape")
        return False
    return True


def _equation(
    fragment: Fragment, comment: str, inside: bool, report: Report
) -> Equation | None:
    left, right = _split_at_equals(fragment)
    if right is None:
        first = fragment.text.split(maxsplit=1)[0]
        known = (*DECLARATIONS, "extends", "output", "for")
        found = f"{_short(fragment.text)!r} has no ="
        report.add("statement", fragment.span(), found, did_you_mean(first, known))
        return None
    first = re.match(r"([A-Za-z]+)\s+[A-Za-z]", left.text)
    if first:
        fix = did_you_mean(first[1], DECLARATIONS)
        report.add("statement", left.span(), f"{_short(left.text)!r} = ...", fix)
        return None
    if not right.text:
        report.add("expression", right.span(), "nothing stands after =")
        return None
    targets = _names(left, report, primed=True)
    if not targets:
        return None
    return Equation(targets, right, comment, inside)


def _split_at_equals(fragment: Fragment) -> tuple[Fragment, Fragment | None]:
    """Split at the first = that is not part of == <= >= != and not in a bracket."""
    depth = 0
    text = fragment.text
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        alone = text[position - 1 : position] not in ("=", "<", ">", "!")
        if character == "=" and alone and text[position + 1 : position + 2] != "=":
            if depth == 0:
                return fragment.cut(0, position), fragment.cut(position + 1)
    return fragment, None


def _parts(fragment: Fragment) -> list[Fragment]:
    """Split at the commas outside brackets."""
    depth, start = 0, 0
    parts: list[Fragment] = []
    for position, character in enumerate(fragment.text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(fragment.cut(start, position))
            start = position + 1
    return [*parts, fragment.cut(start)]


def _dim(part: Fragment, report: Report) -> Dim:
    index, colon, _ = part.text.partition(":")
    if not colon:
        return Dim(None, part)
    place = part.cut(0, len(index))
    name = Name(place.text, place.span())
    _name_fits(name, report)
    return Dim(name, part.cut(len(index) + 1))


def _names(
    fragment: Fragment, report: Report, primed: bool = False
) -> tuple[Name, ...]:
    """Return the comma-separated names, or none of them if one is wrong."""
    found = [Name(part.text, part.span()) for part in _parts(fragment)]
    fit = [_name_fits(name, report, primed) for name in found]
    return tuple(found) if all(fit) else ()


def _name_fits(name: Name, report: Report, primed: bool = False) -> bool:
    bare = name.text.removesuffix("'") if primed else name.text
    if not _NAME.fullmatch(bare):
        what = f"{_short(name.text)!r}" if name.text else "no name"
        fix = "a prime stands on the left of an equation only" if "'" in bare else ""
        report.add("name", name.span, what, fix)
        return False
    if bare in _TAKEN or keyword.iskeyword(bare):
        report.add("name", name.span, f"{bare!r} is a keyword")
        return False
    if bare in FUNCTIONS:
        report.add("name", name.span, f"{bare!r} is a function's name")
        return False
    return True


def _check_extends(lines: list[Line], report: Report) -> None:
    for position, line in enumerate(lines):
        if isinstance(line, Extends) and position > 0:
            second = isinstance(lines[0], Extends)
            found = "a second extends" if second else "extends after other statements"
            report.add("extends", line.base.span, found)
    blocks = [line for line in lines if isinstance(line, Block)]
    for block in blocks[1:]:
        report.add("for-block", block.index.span, "a second for block")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
