"""Bring the products of a sum together, so that one accumulator takes them all.

``p * c + U @ h + b + W @ x`` becomes ``(p * c + b) + (U @ h + W @ x)``. A sum that
something else uses too stays whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Binding, Graph, Node, bindings
from cellwright.ir.verify import verify

from .simplify import asked_for, used_only, with_nodes


def gather(graph: Graph) -> Graph:
    """Return the graph with the products of every sum side by side."""
    inner = _inner_sums(graph)
    b = Builder(fold=False)
    place: list[int] = []
    for position, node in enumerate(graph.nodes):
        if node.op == "add" and position not in inner:
            terms = [place[term] for term in _terms(graph.nodes, position, inner)]
            place.append(_sum_of(b, terms, node))
        else:
            place.append(b.copy(node, *(place[arg] for arg in node.args)))
    return verify(used_only(with_nodes(graph, b.nodes, place)))


def _inner_sums(graph: Graph) -> set[int]:
    """Return the sums that only another sum of the same shape and binding uses."""
    uses = Counter(arg for node in graph.nodes for arg in node.args)
    uses.update(asked_for(graph))
    binding = bindings(graph)
    # A sum of weights alone stays whole: it is computed once a call.
    return {
        arg
        for position, node in enumerate(graph.nodes)
        if node.op == "add"
        for arg in node.args
        if uses[arg] == 1
        and graph.nodes[arg].op == "add"
        and graph.nodes[arg].shape == node.shape
        and (binding[arg] > Binding.WEIGHTS or binding[position] == Binding.WEIGHTS)
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
