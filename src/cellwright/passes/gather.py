"""Bring the products of a sum together, so that one accumulator takes them all.

``p * c + U @ h + b + W @ x`` becomes ``(p * c + b) + (U @ h + W @ x)``. A sum that
something else uses too stays whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Graph, Node
from cellwright.ir.verify import verify

from .simplify import used_only


def gather(graph: Graph) -> Graph:
    """Return the graph with the products of every sum side by side."""
    uses = Counter(arg for node in graph.nodes for arg in node.args)
    uses.update(_roots(graph))
    inner = _inner_sums(graph, uses)
    b = Builder(fold=False)
    place: list[int] = []
    for position, node in enumerate(graph.nodes):
        if node.op == "add" and position not in inner:
            terms = [place[term] for term in _terms(graph.nodes, position, inner)]
            place.append(_sum_of(b, terms, node))
        else:
            place.append(b.copy(node, *(place[arg] for arg in node.args)))
    moved = replace(
        graph,
        nodes=tuple(b.nodes),
        states=tuple(
            replace(s, first=place[s.first], next=place[s.next]) for s in graph.states
        ),
        parameters=tuple(
            replace(p, init=None if p.init is None else place[p.init])
            for p in graph.parameters
        ),
        constants=tuple(replace(c, init=place[c.init]) for c in graph.constants),
        values=tuple(replace(v, node=place[v.node]) for v in graph.values),
        output=place[graph.output],
    )
    return verify(used_only(moved))


def _roots(graph: Graph) -> list[int]:
    roots = [graph.output, *(value.node for value in graph.values)]
    for state in graph.states:
        roots += (state.first, state.next)
    rows = (*graph.parameters, *graph.constants)
    return roots + [row.init for row in rows if row.init is not None]


def _inner_sums(graph: Graph, uses: Counter[int]) -> set[int]:
    """Return the sums that only another sum of the same shape uses."""
    return {
        arg
        for node in graph.nodes
        if node.op == "add"
        for arg in node.args
        if uses[arg] == 1
        and graph.nodes[arg].op == "add"
        and graph.nodes[arg].shape == node.shape
    }


def _terms(nodes: Sequence[Node], position: int, inner: set[int]) -> list[int]:
    found: list[int] = []
    stack = [position]
    while stack:
        at = stack.pop()
        if at == position or at in inner:
            stack += reversed(nodes[at].args)
        else:
            found.append(at)
    return found


def _sum_of(b: Builder, terms: list[int], node: Node) -> int:
    products = [term for term in terms if b.nodes[term].op == "matmul"]
    others = [term for term in terms if b.nodes[term].op != "matmul"]

    def add(one: int, other: int) -> int:
        return b.op("add", one, other)

    parts = [reduce(add, part) for part in (others, products) if part]
    whole = reduce(add, parts)
    assert b.shape(whole) == node.shape
    return whole
