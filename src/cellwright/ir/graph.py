"""The graph of a cell: what it declares, and one list of nodes for all equations.

A graph holds the equations of one time step, the first values of its states and the
initialisers of its parameters and constants. It is frozen; a pass returns a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from .ops import Attr
from .sizes import Shape, Size


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. ``args`` are places of earlier nodes; ``shape`` has no batch."""

    op: str
    args: tuple[int, ...]
    shape: Shape
    attr: Attr = None


@dataclass(frozen=True, slots=True)
class SizeDeclaration:
    """A named size: given to the layer (with a default or without), or derived."""

    name: str
    default: int | None = None
    derived: Size | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """A value given at every step. The first input of a cell is the layer's ``x``."""

    name: str
    shape: Shape
    description: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A value carried from step to step: node of its first and of its next value."""

    name: str
    shape: Shape
    first: int
    next: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learned tensor; ``init`` is None for torch.nn's own initialisation."""

    name: str
    shape: Shape
    role: Literal["weight", "bias"]
    init: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that is not learned. Without a shape it is an argument of the layer."""

    name: str
    shape: Shape
    init: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A left-hand name of the cell, in the order of its file; any can be traced."""

    name: str
    node: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A cell, typed.

    Args:
        name: the cell's name.
        nodes: arguments stand before what uses them.
        whole: sizes that must come out as whole numbers from 1 on, and may not.
        output: node of the layer's output.
    """

    name: str
    nodes: tuple[Node, ...]
    sizes: tuple[SizeDeclaration, ...]
    counts: tuple[tuple[str, int], ...]
    inputs: tuple[Input, ...]
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    constants: tuple[Constant, ...]
    values: tuple[Value, ...]
    output: int
    whole: tuple[Size, ...] = ()

    def __hash__(self) -> int:
        # Equality compares everything; the hash is asked for at every call of a layer.
        return hash((self.name, len(self.nodes), self.output))

    @property
    def output_shape(self) -> Shape:
        """Shape of the output at one step, without the batch."""
        return self.nodes[self.output].shape

    def value(self, name: str) -> Value | None:
        """Return the value called ``name`` (``i``, ``c'``), or None."""
        return next((v for v in self.values if v.name == name), None)


class Binding(IntEnum):
    """When a node is known: from the weights alone, from the inputs, or in the step."""

    WEIGHTS = 0
    INPUT = 1
    STEP = 2


_LEAF_BINDING = {"input": Binding.INPUT, "state": Binding.STEP}


def binding_of(node: Node, earlier: list[Binding]) -> Binding:
    """Return the binding time of ``node``, given those of the nodes before it."""
    own = _LEAF_BINDING.get(node.op, Binding.WEIGHTS)
    return max([own, *(earlier[arg] for arg in node.args)])


def bindings(graph: Graph) -> list[Binding]:
    """Return the binding time of every node."""
    found: list[Binding] = []
    for node in graph.nodes:
        found.append(binding_of(node, found))
    return found


def reachable(nodes: tuple[Node, ...] | list[Node], roots: set[int]) -> set[int]:
    """Return the positions of every node that ``roots`` depend on, roots included."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        position = stack.pop()
        if position not in seen:
            seen.add(position)
            stack.extend(nodes[position].args)
    return seen
