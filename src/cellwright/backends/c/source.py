"""A kernel's translation unit: its own text within the files that all kernels share.

Each file is written into the place where it is included, so that a kernel is one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cellwright.ir.sizes import Size

from .runs import WIDTH

ROWS = 6
"""Rows that `multiply.h` multiplies at a time, at most."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """A kernel's C, but for its dtype and level.

    Args:
        slots: the order of the slots, as C.
        step: what the schedule says, as C.
        sizes: lengths that the kernel is called with, in their order.
        widths: vectors of its tiles.
        backwards: whether it runs from the last step to the first.
    """

    slots: str
    step: str
    sizes: tuple[Size, ...]
    widths: tuple[int, ...]
    backwards: bool

    def text(self, double: bool, vector_bytes: int, accumulators: int) -> str:
        """Return the whole translation unit.

        Args:
            double: whether numbers are float64 rather than float32.
            vector_bytes: length of a vector register.
            accumulators: vector registers that sums of products may take.
        """
        own = {
            "configuration.h": configuration(
                double, vector_bytes, accumulators, self.widths
            ),
            "slots.h": self.slots,
            "step.h": self.step,
        }
        return included("kernel.c", own)


def configuration(
    double: bool, vector_bytes: int, accumulators: int, widths: Iterable[int]
) -> str:
    """Return the definitions that the C of all kernels is written for."""
    # The most rows are ROWS_OF in multiply.h.
    tiles = " ".join(
        f"X({width}, {rows})"
        for width in widths
        for rows in range(1, min(ROWS, accumulators // width) + 1)
    )
    return "\n".join(
        [
            f"#define CW_DOUBLE {int(double)}",
            f"#define CW_BYTES {vector_bytes}",
            f"#define ACCUMULATORS {accumulators}",
            f"#define MOST_VECTORS {WIDTH}",
            f"#define MOST_ROWS {ROWS}",
            f"#define EVERY_TILE(X) {tiles}",
        ]
    )


def outer_text(double: bool, vector_bytes: int, accumulators: int) -> str:
    """Return the C that sums outer products up; it is no particular cell's."""
    widths = range(1, accumulators // ROWS + 1)
    head = configuration(double, vector_bytes, accumulators, widths)
    return included("outer.c", {"configuration.h": head})


@lru_cache(maxsize=16)
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def included(name: str, own: Mapping[str, str]) -> str:
    """Return a file with the text of what it includes from here in place."""

    def replaced(match: re.Match[str]) -> str:
        inner = match.group(1)
        text = own[inner] if inner in own else _file(inner)
        return f"/* {inner} */\n{text}"

    return re.sub(r'^#include "(.+)"$', replaced, _file(name), flags=re.MULTILINE)
