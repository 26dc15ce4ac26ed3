"""The one block of whole numbers that a kernel is called with: what stands where.

Pointers, strides and sizes lie in it in an order that the schedule fixes. Sizes come
last, in the order in which the kernel's text first asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellwright.ir.sizes import ONE, Shape, Size
from cellwright.passes.phases import Schedule

HEAD = ("rows", "begin", "end", "threads", "team", "inside")
ROOT, INPUT, STATE, OUTPUT = 4, 5, 3, 3
"""How many slots one of each has.

A root: pointer; strides of block, row and column. An input: pointer; strides of step
and row; pointer and row stride of a first value, or 0. A state: pointer of its first
value, row stride, pointer of its last value. An output: pointer; strides of step and
row. A sum has one slot, its pointer.
"""


@dataclass
class Slots:
    """The order of a schedule's slots.

    Args:
        schedule: of the kernel.
        sizes: lengths that the kernel asks for; it grows while its text is written.
    """

    schedule: Schedule
    sizes: dict[Size, None] = field(default_factory=dict[Size, None])

    @property
    def starts(self) -> dict[str, int]:
        """First slot of each kind."""
        graph = self.schedule.graph
        counts = {
            "roots": ROOT * len(self.schedule.roots),
            "inputs": INPUT * len(graph.inputs),
            "states": STATE * len(graph.states),
            "outputs": OUTPUT * len(self.schedule.outputs),
            "sums": len(self.schedule.sums),
            "sizes": 0,
        }
        found: dict[str, int] = {}
        at = len(HEAD)
        for name, count in counts.items():
            found[name] = at
            at += count
        return found

    def size(self, size: Size) -> int:
        """Return the slot of a length."""
        self.sizes.setdefault(size)
        return self.starts["sizes"] + list(self.sizes).index(size)


def length(shape: Shape) -> Size:
    """Return the number of entries of a vector, 1 for a scalar."""
    return shape[0] if shape else ONE


def resolved(sizes: Sequence[Size], values: Mapping[str, int]) -> list[int]:
    """Return sizes as whole numbers."""
    return [size.evaluate(values) for size in sizes]
