"""Where a text stops being an expression of the language.

Words and signs are read from left to right, so every fault has one place and one
wording, whatever the Python version. What passes here is a small part of Python's
expressions: `ast` then only builds the tree.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

MAX_DEPTH = 100
BINARY = frozenset("+ - * / % ** @ < <= > >= == !=".split())  # noqa: SIM905
_TOKEN = re.compile(
    r"(?P<number>\.?\d(?:[eE][+-]?\d|[\w.])*)"
    r"|(?P<name>[A-Za-z_]\w*'?)"
    r"|(?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|:=|&&|\|\||[^\w\s])"
)
_NUMBER = re.compile(r"(?:0|[1-9]\d*|\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?")
_CHOICE = "use where(m, a, b)"
_FIXES = {
    "//": "write floor(a / b)",
    "^": "write ** for a power",
    "&": _CHOICE,
    "|": _CHOICE,
    "&&": _CHOICE,
    "||": _CHOICE,
    "!": _CHOICE,
    "~": "write 1 - m",
    "[": "there are no subscripts: split takes a vector apart",
    ".": "there are no attributes",
    "=": "arguments have no names; a comparison is ==",
}
_OPERATOR_LIKE = frozenset({"//", "^", "&", "|", "&&", "||", "<<", ">>"})
_CHOICE_WORDS = frozenset({"if", "else", "and", "or", "not", "is", "in"})


@dataclass(frozen=True, slots=True)
class Slip:
    """The first fault of an expression: which part of the text, which rule."""

    start: int
    end: int
    code: str
    found: str
    fix: str = ""


@dataclass
class _Reading:
    """How far an expression is read."""

    operand: bool = True  # whether a value must come next
    last: str = ""
    calls: list[bool] = field(default_factory=list[bool])  # open brackets


def first_slip(text: str) -> Slip | None:
    """Return the first fault of the form of an expression, or None.

    Example:
        >>> first_slip("W x").found
        "an operator is missing before 'x'"
    """
    reading = _Reading()
    end = 0
    for token in _TOKEN.finditer(text):
        word, end = token.group(), token.end()
        step = _value if reading.operand else _operator
        fault = step(str(token.lastgroup), word, reading)
        if len(reading.calls) > MAX_DEPTH:
            fault = ("too-deep", f"more than {MAX_DEPTH} open brackets", "")
        if fault is not None:
            return Slip(token.start(), end, *fault)
        reading.last = word
    if reading.operand:
        last = reading.last
        found = f"nothing stands after {last!r}" if last else "nothing stands here"
        return Slip(max(0, end - len(last)), end, "expression", found)
    if reading.calls:
        return Slip(0, end, "bracket", "a bracket is never closed")
    return None


_Fault = tuple[str, str, str] | None


def _value(kind: str, word: str, reading: _Reading) -> _Fault:
    """Read what may stand where a value must come next."""
    if kind == "number":
        reading.operand = False
        if not _NUMBER.fullmatch(word):
            return ("number", f"{_short(word)!r}", "")
        return None
    if kind == "name":
        reading.operand = False
        return _python_word(word)
    if word == "(":
        reading.calls.append(False)
        return None
    if word == "-":
        return None
    if word == ")" and reading.last == "(" and reading.calls.pop():
        reading.operand = False  # f(): the table of functions says what is missing
        return None
    return ("expression", f"{word!r} where a value is needed", "")


def _operator(kind: str, word: str, reading: _Reading) -> _Fault:
    """Read what may stand behind a value."""
    if kind != "sign":
        fault = _python_word(word)
        fix = f"write {reading.last} * {word}" if reading.last.isdigit() else ""
        return fault or ("expression", f"an operator is missing before {word!r}", fix)
    if word in BINARY:
        reading.operand = True
        return None
    if word == "(" and re.fullmatch(r"[A-Za-z_]\w*'?", reading.last):
        reading.calls.append(True)
        reading.operand = True
        return None
    if word == ")":
        if not reading.calls:
            return ("bracket", "this ')' closes nothing", "")
        reading.calls.pop()
        return None
    if word == ",":
        reading.operand = True
        if not reading.calls or not reading.calls[-1]:
            return ("expression", "a comma outside the arguments of a function", "")
        return None
    if word == "(":
        return ("expression", "an operator is missing before '('", "")
    code = "operator" if word in _OPERATOR_LIKE else "expression"
    return (code, f"{word!r}", _FIXES.get(word, ""))


def _python_word(word: str) -> _Fault:
    if word in _CHOICE_WORDS:
        return ("operator", f"{word!r}", _CHOICE)
    if keyword.iskeyword(word):
        return ("expression", f"{word!r} is a word of Python, not of the language", "")
    return None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
