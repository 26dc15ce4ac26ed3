"""Faults of a cell file: where, which rule, what was found, the likely fix.

Every fault of a file is collected before anything is raised, so one run shows all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cellwright.errors import CellwrightValueError

from .rules import RULES

_SHOWN = 20
"""A message shows so many faults; the error holds all of them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A cell file: the cell's name, its text and how messages call it.

    The text has no byte order mark, and its lines end in a line feed.
    """

    name: str
    text: str
    label: str

    def __post_init__(self) -> None:
        plain = self.text.removeprefix("\ufeff")
        plain = plain.replace("\r\n", "\n").replace("\r", "\n")
        object.__setattr__(self, "text", plain)

    def line(self, number: int) -> str:
        """Return line ``number``, counted from 1, without its end."""
        lines = self.text.split("\n")
        return lines[number - 1] if number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line: line from 1, column from 0."""

    source: Source
    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``code`` names the rule that is broken, see `rules.RULES`."""

    code: str
    span: Span
    found: str
    fix: str = ""

    @property
    def rule(self) -> str:
        """The rule, in one sentence."""
        return RULES[self.code]

    def to_json(self) -> dict[str, Any]:
        """Return plain data; line and column count from 1, as in the message."""
        return {
            "file": self.span.source.label,
            "line": self.span.line,
            "column": self.span.column + 1,
            "length": self.span.length,
            "code": self.code,
            "rule": self.rule,
            "found": self.found,
            "fix": self.fix,
        }

    def __str__(self) -> str:
        span = self.span
        where = f"{span.source.label}:{span.line}:{span.column + 1}: {self.code}"
        line = span.source.line(span.line)
        shown, column = _excerpt(line, span.column)
        carets = "^" * max(1, min(span.length, len(shown) - column))
        parts = [where]
        if shown:  # an empty file, and one that is no text, have nothing to show
            parts += [f"    {shown}", f"    {' ' * column}{carets}"]
        parts.append(f"  rule:  {self.rule}")
        parts.append(f"  found: {self.found}")
        if self.fix:
            parts.append(f"  fix:   {self.fix}")
        return "\n".join(parts)


class CellError(CellwrightValueError):
    """A cell file that does not say a cell; ``faults`` holds every fault of it."""

    def __init__(self, faults: Iterable[Fault]):
        self.faults = tuple(faults)
        shown = [str(fault) for fault in self.faults[:_SHOWN]]
        if len(self.faults) > _SHOWN:
            shown.append(f"and {len(self.faults) - _SHOWN:,} more faults")
        super().__init__("\n\n".join(shown))

    def __reduce__(self) -> tuple[type[CellError], tuple[tuple[Fault, ...]]]:
        return CellError, (self.faults,)

    def to_json(self) -> dict[str, Any]:
        """Return the message and all faults, those too that it only counts."""
        return {
            "error": str(self),
            "faults": [fault.to_json() for fault in self.faults],
        }


class Report:
    """Collects faults; each place and rule once."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, int, int, str], Fault] = {}
        self._about: dict[tuple[str, str], tuple[str, int, int, str]] = {}

    def add(
        self, code: str, span: Span, found: str, fix: str = "", about: str = ""
    ) -> None:
        """Note a fault.

        Args:
            code: the rule that is broken.
            span: the place.
            found: what stands there.
            fix: what is likely meant.
            about: a name; of all faults about it with this code the first one in the
                file is kept, as one mend will do for all.
        """
        key = (span.source.label, span.line, span.column, code)
        fault = Fault(code, span, found, fix)
        if about:
            former = self._about.get((code, about))
            if former is not None and former[1:3] <= key[1:3]:
                return
            if former is not None:
                del self._faults[former]
            self._about[code, about] = key
        self._faults.setdefault(key, fault)

    def __bool__(self) -> bool:
        return bool(self._faults)

    def has(self, *codes: str) -> bool:
        """Return whether a fault with one of these codes was noted."""
        return any(fault.code in codes for fault in self._faults.values())

    def raise_if_any(self) -> None:
        """Raise one CellError with every fault, in the order of the file."""
        if self._faults:
            order = sorted(self._faults, key=lambda key: key[:3])
            raise CellError(self._faults[key] for key in order)


def did_you_mean(
    name: str,
    known: Iterable[str],
    written: Mapping[str, str] | None = None,
    cutoff: float = 0.6,
) -> str:
    """Return "did you mean 'sigmoid'?", or nothing when no known name is near.

    Args:
        name: what somebody wrote.
        known: the names there are.
        written: what is to be written for a known name, where it is not that name.
        cutoff: how alike the two have to be, from 0 to 1.
    """
    close = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=cutoff)
    if not close:
        return ""
    return f"did you mean {(written or {}).get(close[0], close[0])!r}?"


def _excerpt(line: str, column: int, width: int = 100) -> tuple[str, int]:
    """Return a printable piece of ``line`` around ``column``, and the column in it."""
    start = max(0, column - width // 2) if len(line) > width else 0
    text = "".join(c if c.isprintable() else "?" for c in line[start : start + width])
    return text, column - start
