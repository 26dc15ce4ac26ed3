r"""The names of a cell at their times: ``c'`` is $c_t$, ``c`` is $c_{t-1}$.

A value of the step carries $t$, a state before it $t-1$; a value of a micro-step
carries the micro-step's number above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell
from cellwright.language.views import DeclarationView

from .counts import LETTERS
from .signs import Sign, distinct, name_signs, size_signs

PRIME = "ʹ"
"""The prime of a name in the parse of an expression."""

_SIGMA = ("sigmoid", "log_sigmoid", "silu", "hard_sigmoid")
"""Functions that print or explain themselves with a sigma."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """What each name of a cell is, for its symbol.

    Args:
        signs: what each name looks like.
        states: the states.
        steps: inputs and values, which differ from step to step.
        inside: what stands once for each micro-step, without primes.
        carried: what goes from micro-step to micro-step, without primes.
        sizes: sizes and counts.
        shapes: shapes of names with their primes, where they are known.
        index: the running index of the for block; empty without one.
        first: its first value.
        last: the name of its count.
        time_before: the time below a state's value before the step.
    """

    signs: Mapping[str, Sign]
    states: frozenset[str]
    steps: frozenset[str]
    inside: frozenset[str]
    carried: frozenset[str]
    sizes: frozenset[str]
    shapes: dict[str, Shape]
    index: str = ""
    first: int = 1
    last: str = ""
    time_before: str = "t-1"

    def symbol(self, name: str, in_block: bool) -> str:
        """Return the symbol of a name, with its prime, seen from an equation.

        Args:
            name: the name as it is written.
            in_block: whether the equation stands in the for block.
        """
        bare, primed = name.removesuffix("'"), name.endswith("'")
        sign = self.signs[bare]
        if bare in self.sizes or (in_block and bare == self.index):
            return sign.at()
        above = self._micro_step(bare, primed, in_block)
        if above and bare not in self.steps | self.states | self.carried:
            return sign.at(above=above)  # a weight of its own in each micro-step
        if above or primed or bare in self.steps:
            return sign.at("t", above)
        return sign.at(self.time_before) if bare in self.states else sign.at()

    def is_scalar(self, name: str) -> bool:
        """Whether a name is one number at each step; what is unknown is a vector."""
        bare = name.removesuffix("'")
        if bare in self.sizes or bare == self.index:
            return True
        return self.shapes.get(name, self.shapes.get(bare)) == ()

    def _micro_step(self, bare: str, primed: bool, in_block: bool) -> str:
        index = self.signs[self.index].at() if self.index else ""
        if bare in self.carried:
            if in_block:
                return index if primed else f"{index}-1"
            if bare in self.states:
                return ""
            return self.signs[self.last].at() if primed else str(self.first - 1)
        return index if in_block and bare in self.inside else ""


def symbols(cell: Cell) -> Symbols:
    """Return the symbols of a cell."""
    graph = cell.graph
    equations = cell.equations
    written = {name for e in equations for name in e.names}
    values = {name.removesuffix("'") for name in written}
    in_block = [e for e in equations if e.in_block]
    inside = {name for e in in_block for name in e.names}
    inside |= {n for d in cell.declarations if d.in_block for n in d.names}
    head = re.match(r"for\s+(\w+)\s+in\s+(\d+)\s*\.\.\s*(\w+)", cell.block)
    index, first, last = head.groups() if head else ("", "1", "")
    declared = {
        n for d in cell.declarations if d.kind in ("size", "count") for n in d.names
    }
    states = frozenset(state.name for state in graph.states)
    return Symbols(
        signs=_signs(cell, index),
        states=states,
        steps=frozenset(
            {i.name for i in graph.inputs} | (values - states - _fixed(cell))
        ),
        inside=frozenset(name.removesuffix("'") for name in inside),
        carried=frozenset(n.removesuffix("'") for n in inside if n.endswith("'")),
        sizes=frozenset({*LETTERS, *declared}),
        shapes=_shapes(graph, int(first)),
        index=index,
        first=int(first),
        last=last,
    )


def indices(declaration: DeclarationView) -> list[str]:
    """Return the running indices of a shape: ``i`` of ``[i: hidden_size]``."""
    return re.findall(r"([A-Za-z]\w*)\s*:", declaration.shape)


def _signs(cell: Cell, index: str) -> dict[str, Sign]:
    """Return what each name looks like; sizes give way, then what is written last."""
    sizes = ("size", "count")
    declared = [d for d in cell.declarations if d.kind not in sizes]
    states = [n for d in declared if d.kind == "state" for n in d.names]
    names = [*states, *(n for d in declared for n in d.names)]
    names += [n.removesuffix("'") for e in cell.equations for n in e.names]
    names += [i for d in declared for i in indices(d)] + [index] * bool(index)
    named = [(name, name_signs(name)) for name in names]
    chosen = [n for d in cell.declarations if d.kind in sizes for n in d.names]
    named += [(name, size_signs(name)) for name in (*LETTERS, *chosen)]
    texts = [e.text for e in cell.equations] + [d.value for d in cell.declarations]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    taken = [*_first_values(declared), *([r"\sigma"] if words & {*_SIGMA} else [])]
    return distinct(named, taken)


def _first_values(declared: list[DeclarationView]) -> Iterator[str]:
    """Yield what first values of states are called, unless a learned one is it."""
    for row in declared:
        for name in row.names if row.kind == "state" else ():
            first = name_signs(name)[0].at("0")
            learned = row.names == (name,) and row.value.isidentifier()
            if not learned or name_signs(row.value)[0].at() != first:
                yield first


def _fixed(cell: Cell) -> set[str]:
    """Return values that are the same at every step; a gate that is 1 is still one."""
    graph = cell.graph
    times = bindings(graph)
    constants = {n for e in cell.equations if e.replaces_constant for n in e.names}
    return {
        value.name
        for value in graph.values
        if times[value.node] == Binding.WEIGHTS
        and (graph.nodes[value.node].op != "const" or value.name in constants)
    }


def _shapes(graph: Graph, first: int) -> dict[str, Shape]:
    rows = (*graph.inputs, *graph.states, *graph.parameters, *graph.constants)
    shapes = {row.name: row.shape for row in rows}
    for value in graph.values:
        shapes[value.name] = graph.nodes[value.node].shape
    # In the graph n of micro-step 2 is n_2; every micro-step has the same shapes.
    suffix = f"_{first}"
    for name in [name for name in shapes if name.endswith(suffix)]:
        shapes.setdefault(name.removesuffix(suffix), shapes[name])
    return shapes
