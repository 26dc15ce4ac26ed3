"""The answer of `compare`: a row a quantity, the worst entry named, printable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .tolerances import TOLERANCES, error

TOLERANCE = TOLERANCES["rewritten", "float64"]
"""A person's module is the same cell in another form."""


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity: whether it is equal, and its worst entry.

    Args:
        quantity: ``output``, ``last c``, ``gradient of W_f.weight``.
        error: the largest difference, measured as the tolerance table does.
        entry: where the largest difference is, ``[T=3, B=1, H=2]``.
        module: the module's value there.
        cell: the cell's value there.
        note: what else is known, such as the shapes when they differ.
    """

    quantity: str
    error: float
    entry: str = ""
    module: float = 0.0
    cell: float = 0.0
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.error <= TOLERANCE.bound


@dataclass(frozen=True)
class Comparison:
    """Whether a module computes a cell; true when it does, and prints as a table.

    Args:
        module: the module's class.
        cell: the cell's name.
        steps: length of the sequence on which they ran.
        batch_size: its rows.
        rows: every quantity that was compared.
        notes: likely causes, and what could not be compared.
    """

    module: str
    cell: str
    steps: int
    batch_size: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every quantity is equal."""
        return all(row.equal for row in self.rows)

    @property
    def worst(self) -> Row:
        """The quantity that differs most."""
        return max(self.rows, key=lambda row: row.error)

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        verdict = "computes" if self.equal else "does not compute"
        where = f"T={self.steps}, B={self.batch_size}"
        lines = [f"{self.module} {verdict} {self.cell} ({where})", *_table(self.rows)]
        worst = self.worst
        if not self.equal and worst.entry:
            lines.append(
                f"worst: {worst.quantity}{worst.entry} is {worst.module:.9g} in the "
                f"module, {worst.cell:.9g} in the cell"
            )
        return "\n".join([*lines, *self.notes])


def row(
    quantity: str,
    module: Tensor,
    cell: Tensor,
    axes: Sequence[str],
    labels: Sequence[str] = (),
) -> Row:
    """Compare one quantity.

    Args:
        quantity: its name.
        module: the module's tensor.
        cell: the cell's.
        axes: letters of the axes.
        labels: what the entries of the first axis belong to, such as gates.
    """
    if module.shape != cell.shape:
        note = f"shape {list(module.shape)}, the cell's is {list(cell.shape)}"
        return Row(quantity, float("inf"), note=note)
    found = error(module, cell)
    if found == 0:
        return Row(quantity, 0.0)
    apart = (module - cell).abs().nan_to_num(nan=float("inf"))
    apart[module == cell] = 0
    place = _place(int(apart.argmax()), tuple(module.shape))
    index = ", ".join(f"{a}={i}" for a, i in zip(axes, place, strict=True))
    entry = f"[{index}]" if index else ""
    if labels:
        entry += f" ({labels[place[0] * len(labels) // module.shape[0]]})"
    values = float(module[place]), float(cell[place])
    stopped = not bool(module.any()) and bool(cell.any())
    note = (
        "none arrives in the module" if stopped and quantity.startswith("grad") else ""
    )
    return Row(quantity, found, entry, *values, note)


def _place(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    place: list[int] = []
    for size in reversed(shape):
        position, rest = divmod(position, size)
        place.append(rest)
    return tuple(reversed(place))


def _table(rows: Sequence[Row]) -> list[str]:
    table = [("quantity", "equal", "error", "worst entry")]
    for each in rows:
        where = "  ".join(part for part in (each.entry.strip(), each.note) if part)
        equal = "yes" if each.equal else "NO"
        table.append((each.quantity, equal, f"{each.error:.1e}", where))
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    return [
        f"  {a:{widths[0]}}  {b:{widths[1]}}  {c:{widths[2]}}  {d}".rstrip()
        for a, b, c, d in table
    ]
