"""Which backend runs which layer, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: its name in the model, the backend that runs it, the reason.

    And what it keeps for a backward pass, ``"store"`` or ``"recompute"``.
    """

    layer: str
    backend: str
    reason: str
    memory: str = "store"


@dataclass(frozen=True)
class BackendReport:
    """A table layer → backend → memory → reason; prints as one.

    Example:
        >>> print(BackendReport((Row("rnn", "reference", "asked for"),)))
        layer  backend    memory  reason
        rnn    reference  store   asked for
    """

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        table = [("layer", "backend", "memory", "reason")]
        table += [(r.layer, r.backend, r.memory, r.reason) for r in self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = (
            "  ".join(
                f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)
            )
            for row in table
        )
        return "\n".join(line.rstrip() for line in lines)
