"""Bring the products of a sum together, so that one accumulator takes them all.

``p * c + U @ h + b + W @ x + V @ h`` becomes ``((p * c + b) + W @ x) + (U @ h + V @
h)``: products of what is given are done before the others. A sum that something else
uses too stays whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce

from cellwright.ir.builder import Builder
from cellwright.ir.graph import Binding, Graph, Node, bindings
from cellwright.ir.verify import verify

from .simplify import asked_for, used_only, with_nodes


def gather(graph: Graph) -> Graph:
    """Return the graph with the products of every sum side by side."""
    inner = _inner_sums(graph)
    binding = bindings(graph)
    b = Builder(fold=False)
    place: list[int] = []
    for position, node in enumerate(graph.nodes):
        if node.op == "add" and position not in inner:
            terms = list(_terms(graph.nodes, position, inner))
            parts = _parts(graph.nodes, binding, terms)
            place.append(_sum_of(b, [[place[n] for n in part] for part in parts]))
            assert b.shape(place[-1]) == node.shape
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


def _parts(
    nodes: Sequence[Node], binding: Sequence[Binding], terms: Sequence[int]
) -> Iterable[list[int]]:
    """Yield what is no product, products of what is given, and the other ones."""
    products = [term for term in terms if nodes[term].op == "matmul"]
    yield [term for term in terms if nodes[term].op != "matmul"]
    yield [term for term in products if binding[term] <= Binding.INPUT]
    yield [term for term in products if binding[term] > Binding.INPUT]


def _sum_of(b: Builder, parts: Iterable[list[int]]) -> int:
    def add(one: int, other: int) -> int:
        return b.op("add", one, other)

    return reduce(add, [reduce(add, part) for part in parts if part])
