"""Which backend runs which layer, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: its name in the model, the backend that runs it, the reason."""

    layer: str
    backend: str
    reason: str


@dataclass(frozen=True)
class BackendReport:
    """A table layer → backend → reason; prints as one.

    Example:
        >>> print(BackendReport((Row("rnn", "reference", "asked for"),)))
        layer  backend    reason
        rnn    reference  asked for
    """

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        table = [("layer", "backend", "reason")]
        table += [(row.layer, row.backend, row.reason) for row in self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(2)]
        lines = (f"{a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in table)
        return "\n".join(line.rstrip() for line in lines)
