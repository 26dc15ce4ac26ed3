"""What a schedule is made of: loops over vectors, and ops on whole ones.

A schedule knows names and lengths, never lanes, tiles or threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import Shape

from .stages import Stage


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix, a root or one turned round, times an operand."""

    matrix: int
    operand: int


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A node that is a sum of products and of nothing else."""

    node: int
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A walk along vectors of one shape, or one scalar.

    Args:
        shape: of everything that is computed here.
        accumulators: products that are summed up first.
        nodes: elementwise ops, in order.
        kept: nodes that are laid into memory for later phases.
        written: nodes that are outputs, parts of sums or next values of states.

    What is kept or written and not computed here is copied from where it lies.
    """

    shape: Shape
    accumulators: tuple[Accumulator, ...]
    nodes: tuple[int, ...]
    kept: tuple[int, ...]
    written: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """An op on a whole vector: a row reduction, `concat` or `repeat`."""

    node: int


Phase = Loop | Whole


@dataclass(frozen=True)
class Schedule:
    """A step, cut into phases.

    Args:
        graph: of the step.
        roots: nodes that hang on weights alone; they are given, to slopes too.
        phases: of each stage, in the order of their work.
        kept: nodes that a later phase of the same step reads, and that are no output.
        blocks: nodes that lie in memory for all steps of a block.
        outputs: nodes whose values at every step are asked for.
        sums: nodes that are summed over all steps and rows.
        after: outer products, summed over all steps and rows once the loop has ended.
    """

    graph: Graph
    roots: tuple[int, ...]
    phases: Mapping[Stage, tuple[Phase, ...]]
    kept: tuple[int, ...]
    blocks: tuple[int, ...]
    outputs: tuple[int, ...]
    sums: tuple[int, ...]
    after: tuple[int, ...] = ()
