"""Where the values of a step lie, as seen from a phase of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cellwright.ir.graph import Binding, bindings
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import ZERO, Size
from cellwright.passes.phases import Schedule

from .slots import Slots


@dataclass(frozen=True, slots=True)
class Place:
    """A row's first entry, and how far the next row is."""

    pointer: str
    stride: str

    def entry(self, row: str, at: str = "") -> str:
        """Return the address of an entry of a row."""
        rows = "" if self.stride == "0" else f" + {row} * {self.stride}"
        return f"{self.pointer}{rows}{f' + {at}' if at else ''}"


class Memory:
    """Places of nodes: roots, inputs, states, outputs, and what is kept.

    Args:
        slots: of the kernel.
        of_block: whether the phases that look run over all steps of a block. They see
            inputs and states as they were laid out for the block.

    Attributes:
        registers: numbers of a row that are at hand just now, the same in all lanes.
        parts: vectors that lie in longer ones which they are parts of.
    """

    def __init__(self, slots: Slots, of_block: bool):
        self.of_block = of_block
        graph = slots.schedule.graph
        self._graph = graph
        self._slots = slots
        self._kept = {node: i for i, node in enumerate(slots.schedule.kept)}
        self._blocks = {node: i for i, node in enumerate(slots.schedule.blocks)}
        self._roots = {node: i for i, node in enumerate(slots.schedule.roots)}
        self._outputs = _computed_outputs(slots.schedule)
        self._binding = bindings(graph)
        self._inputs = {i.name: n for n, i in enumerate(graph.inputs)}
        self._states = {s.name: n for n, s in enumerate(graph.states)}
        self.registers: dict[int, str] = {}
        self.parts: dict[int, Place] = {}

    def place(self, node: int) -> Place:
        """Return where a node's vector, or scalar, lies."""
        node, start = self._source(node)
        found = self._plain(node)
        if start == ZERO:
            return found
        return Place(f"{found.pointer} + {self.size(start)}", found.stride)

    def is_root(self, node: int) -> bool:
        """Tell whether a node is given, computed once a call."""
        return node in self._roots

    def in_block(self, node: int) -> Place:
        """Return where a node lies that is kept for all steps of a block."""
        i = self._blocks[node]
        return Place(f"frame->block[{i}]", f"frame->block_row[{i}]")

    def load(self, node: int) -> str:
        """Return a node's value in a loop over vectors."""
        # A fill may lie in memory too, but a reader of entries can come before that.
        source = node
        while self._binding[source] > Binding.WEIGHTS:
            if self._graph.nodes[source].op not in ("slice", "fill"):
                break
            source = self._graph.nodes[source].args[0]
        at = self._graph.nodes[source]
        if at.op == "const":
            assert isinstance(at.attr, float)
            return f"splat({number(at.attr)})"
        if source in self.registers:
            return self.registers[source]
        if not at.shape:
            return f"splat(*({self.place(source).entry('row')}))"
        return f"load({self.place(node).entry('row', 'unit')}, lanes)"

    def size(self, size: Size) -> str:
        """Return a length as C."""
        return f"frame->slot[{self._slots.size(size)} /* {size} */]"

    def _source(self, node: int) -> tuple[int, Size]:
        """Return the node behind slices and fills, and where in it to begin."""
        start = ZERO
        laid = self._kept.keys() | self._blocks.keys()
        while node not in laid and self._binding[node] > Binding.WEIGHTS:
            at = self._graph.nodes[node]
            if at.op == "slice":
                assert isinstance(at.attr, tuple)
                start += at.attr[0]
            elif at.op != "fill":
                break
            node = at.args[0]
        return node, start

    def _plain(self, node: int) -> Place:
        found = self._graph.nodes[node]
        if node in self.parts:
            return self.parts[node]
        if node in self._kept:
            i = self._kept[node]
            return Place(f"frame->kept[{i}]", f"frame->kept_row[{i}]")
        if node in self._blocks and (self.of_block or found.op not in _LEAVES):
            return self.in_block(node)
        if node in self._roots:
            return Place(f"frame->root[{self._roots[node]}]", "0")
        if found.op == "input":
            i = self._inputs[str(found.attr)]
            return Place(f"frame->in[{i}]", f"frame->in_row[{i}]")
        if found.op == "state":
            i = self._states[str(found.attr)]
            return Place(f"frame->before[{i}]", f"frame->state_row[{i}]")
        assert node in self._outputs, (self._graph.name, node, found)
        i = self._outputs[node]
        return Place(f"frame->out[{i}]", f"frame->out_row[{i}]")


_LEAVES = ("input", "state")


def _computed_outputs(schedule: Schedule) -> dict[int, int]:
    """Return the outputs that a loop computes, whose arrays other phases may read."""
    kinds = ("elementwise", "product")
    return {
        node: i
        for i, node in enumerate(schedule.outputs)
        if OPS[schedule.graph.nodes[node].op].kind in kinds
    }


def number(value: float) -> str:
    """Return a number as C.

    Example:
        >>> number(-math.inf), number(0.5)
        ('-INFINITY', '0.5')
    """
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return repr(value)
