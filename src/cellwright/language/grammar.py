"""Read the statements of a file: their form only, not what the names mean."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import Literal, get_args

from .fragment import Fragment
from .functions import FUNCTIONS
from .report import Report, Span, did_you_mean
from .source import KEYWORDS, Statement

Declared = Literal["size", "count", "input", "state", "weight", "bias", "constant"]
DECLARATIONS: tuple[Declared, ...] = get_args(Declared)
_OUTSIDE_ONLY = ("extends", "output", "for", "size", "count", "input", "state")
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

    kind: Declared
    names: tuple[Name, ...]
    shape: tuple[Dim, ...] | None
    value: Fragment | None
    comment: str
    in_block: bool = False


@dataclass(frozen=True, slots=True)
class Dim:
    """One axis of a shape: its size, and the name of its running index if any."""

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


@dataclass(frozen=True, slots=True)
class Broken:
    """A statement with a fault: its names are not unknown, only not understood."""

    names: tuple[str, ...]


Line = Extends | Declaration | Equation | Output | Block | Broken


def parse(found: list[Statement], report: Report) -> list[Line]:
    """Return the lines of a file; those that are not of the language are noted."""
    lines: list[Line] = []
    heads: list[Span] = []
    in_block = False
    indent: int | None = None
    for statement in found:
        place = statement.fragment.span(0, 1)
        if statement.indent == 0:
            if in_block and indent is None:
                report.add("for-block", heads[-1], "nothing stands in it")
            in_block = _word(statement.fragment) == "for"
            indent = None
            if in_block:
                heads.append(place)
        elif not in_block or (indent or statement.indent) != statement.indent:
            fix = "a line goes on only while a bracket is open"
            report.add("indentation", place, "an indented line", fix)
            lines.append(_broken(statement))
            continue
        else:
            indent = statement.indent
        line = None
        if not statement.broken:
            line = _line(statement, statement.indent > 0, report)
        lines.append(line or _broken(statement))
    if in_block and indent is None:
        report.add("for-block", heads[-1], "nothing stands in it")
    for second in heads[1:]:
        report.add("for-block", second, "a second for block")
    _check_extends(lines, report)
    return lines


def _word(fragment: Fragment) -> str:
    word = re.match(r"[A-Za-z]\w*'?", fragment.text)
    return word.group() if word else ""


def _broken(statement: Statement) -> Broken:
    """Keep the names on the left of a statement that cannot be read."""
    left = re.split(r"[=\[]", statement.fragment.text, maxsplit=1)[0]
    return Broken(tuple(re.findall(r"[A-Za-z]\w*'?", left)))


def _line(statement: Statement, inside: bool, report: Report) -> Line | None:
    fragment = statement.fragment
    kind = _word(fragment)
    rest = fragment.cut(len(kind))
    if rest.text.startswith(("=", ",")):
        return _equation(fragment, statement.comment, inside, report)
    if inside and kind in _OUTSIDE_ONLY:
        found = f"{kind} inside a for block"
        place = fragment.span(0, len(kind))
        report.add("statement", place, found, "write it outside")
        return None
    for declared in DECLARATIONS:
        if kind == declared:
            return _declaration(declared, rest, statement.comment, inside, report)
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
        found = f"{_short(rest.text)!r} is not one name" if rest.text else "no name"
        report.add(code, rest.span(), found)
        return None
    return Name(rest.text, rest.span())


def _block(fragment: Fragment, report: Report) -> Block | None:
    form = re.fullmatch(
        r"for\s+([A-Za-z]\w*)\s+in\s+(\d+)\s*\.\.\s*([A-Za-z]\w*)\s*:", fragment.text
    )
    if form is None or len(form[2]) > 4:
        found = f"{_short(fragment.text)!r}"
        report.add("for-block", fragment.span(), found, "for l in 1..depth:")
        return None
    index = Name(form[1], fragment.span(*form.span(1)))
    if not _name_fits(index, report):
        return None
    count = Name(form[3], fragment.span(*form.span(3)))
    return Block(index, int(form[2]), count)


def _declaration(
    kind: Declared, rest: Fragment, comment: str, inside: bool, report: Report
) -> Declaration | None:
    left, value = _split_at_equals(rest)
    bracket = left.text.find("[")
    names = left if bracket < 0 else left.cut(0, bracket)
    shape: tuple[Dim, ...] | None = None
    if bracket >= 0:
        if not left.text.endswith("]") or left.text.count("[") > 1:
            fix = "write a second statement for a second shape"
            report.add("one-shape", left.span(bracket), f"{_short(left.text)!r}", fix)
            return None
        parts = _parts(left.cut(bracket + 1, len(left.text) - 1))
        for part in parts:
            if fix := _commas(part.text):
                report.add("size", part.span(), f"{_short(part.text)!r}", fix)
                return None
        shape = tuple(_dim(part, report) for part in parts)
    found = _names(names, report)
    if not found or not _value_fits(kind, rest, shape, value, report):
        return None
    if len(found) > 1 and kind in ("size", "count"):
        fix = f"write a statement for each {kind}"
        report.add("declaration", found[1].span, f"a second {kind}", fix)
        return None
    return Declaration(kind, found, shape, value, comment, inside)


def _value_fits(
    kind: str,
    rest: Fragment,
    shape: tuple[Dim, ...] | None,
    value: Fragment | None,
    report: Report,
) -> bool:
    for dim in shape or ():
        if dim.index is not None and kind in ("input", "state"):
            found = f"a running index in the shape of a {kind}"
            report.add("needs-no-value", dim.index.span, found)
            return False
    if value is None and kind in ("count", "constant"):
        report.add("needs-value", rest.span(), f"{kind} {_short(rest.text)} has none")
        return False
    if value is not None and not value.text:
        report.add("expression", value.span(), "nothing stands after =")
        return False
    if value is not None and kind == "input":
        found = f"an input with the value {_short(value.text)!r}"
        report.add("needs-no-value", value.span(), found)
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
        first = _word(fragment)
        known = (*DECLARATIONS, "extends", "output", "for")
        found = f"{_short(fragment.text)!r} has no ="
        report.add("statement", fragment.span(), found, did_you_mean(first, known))
        return None
    first = re.match(r"([A-Za-z]+)\s+[A-Za-z]", left.text)
    if first:
        fix = did_you_mean(first[1], DECLARATIONS)
        report.add("statement", left.span(), f"'{_short(left.text)} = ...'", fix)
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
        alone = alone and text[position + 1 : position + 2] != "="
        if character == "=" and alone and depth == 0:
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


def _commas(text: str) -> str:
    """Return the fix of names that stand side by side, nothing for any other text."""
    words = text.split()
    apart = len(words) > 1 and all(map(_NAME.fullmatch, words))
    return f"write {_short(', '.join(words))}" if apart else ""


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
        prime = "a prime stands on the left of an equation only"
        report.add("name", name.span, what, prime if "'" in bare else _commas(bare))
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


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
