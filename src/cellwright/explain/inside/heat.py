"""Values of a trace as heat maps of characters: units down, steps across.

For a terminal (`rich.print`) and a notebook. The page of `cellwright explain --html`
has all units and steps; here stand as many of the first ones as one looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.text import Text
from torch import Tensor

from cellwright.explain.arithmetic import counted

UNITS, STEPS = 16, 60
"""Of each value that is shown, at most."""
COLOURS = (
    *("#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7"),
    *("#fddbc7", "#f4a582", "#d6604d", "#b2182b"),
)
"""From the lowest to the highest value, 0 in the middle: ColorBrewer's RdBu, which
people who see red and green alike can read."""
UNKNOWN = "#888888"
"""What is not finite."""


def heat_maps(named: Mapping[str, Tensor]) -> Iterator[Text]:
    """Yield the lines of values, each below its name and range.

    Args:
        named: ``[T, B, H]``, or ``[T, B]`` of a scalar; the first row is shown.
    """
    for name, value in named.items():
        first = value[:, :1].double().cpu()
        grid = first.flatten(1).T
        yield Text(f"{name}  {_said(grid)}", "bold")
        yield from _lines(grid)


def _said(grid: Tensor) -> str:
    """Return what is shown of a value's units and steps, and between which numbers."""
    (units, steps), finite = grid.shape, grid[grid.isfinite()]
    parts = [
        f"{shown} of " * (of > shown) + counted(of, what)
        for shown, of, what in ((UNITS, units, "unit"), (STEPS, steps, "step"))
    ]
    if finite.numel():
        parts.append(f"from {float(finite.min()):.3g} to {float(finite.max()):.3g}")
    return ", ".join(parts)


def _lines(grid: Tensor) -> Iterator[Text]:
    finite = grid[grid.isfinite()]
    # Gates and most states stay within 1: there one colour is one number in all maps.
    limit = max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
    middle = len(COLOURS) // 2
    for row in grid[:UNITS, :STEPS].tolist():
        line = Text("  ")
        for number in row:
            known = abs(number) <= limit
            place = middle + round(number / limit * middle) if known else 0
            line.append(" ", f"on {COLOURS[place] if known else UNKNOWN}")
        yield line
