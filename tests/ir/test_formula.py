"""A formula of the language says the node that it was printed from."""

from __future__ import annotations

import re

import pytest

from backward_reference import CASES, drawn
from cell_texts import elman
from cellwright.cells import find
from cellwright.ir.formula import formula
from cellwright.ir.graph import Graph, Node, reachable
from cellwright.language.source import MAX_STATEMENT
from cellwright.passes.roots import node_names

SAID = (
    "h - (h - b)",
    "h - b - h",
    "h - (b + h)",
    "h / (b / h)",
    "h / b / h",
    "h * (b + h)",
    "h * (b / h)",
    "h % (b % h) % b",
    "-(h + b)",
    "-(h * b)",
    "-h * b",
    "-h ** 2",
    "(-h) ** 2",
    "(h ** 2) ** 3",
    "h ** -0.5",
    "2 * h ** 2",
    "(h * b) ** 2",
    "h * (U @ h)",
    "(U @ h) * h",
    "U @ (h * b)",
    "U @ (h + b)",
    "U @ (U @ h)",
    "-(U @ h)",
    "b + U @ h",
    "U @ h - U @ b",
    "(h > b) + (h > 0)",
    "(h > b) > 0",
    "h > (b > 0)",
    "where(h >= b + 1, -h, h - -b)",
    "maximum(h, minimum(b, 0)) * sum(h)",
    "h * max(h) - max(b - h)",
    "surrogate(h <= b, tanh(h) * 0.5)",
    "h * (h == b) - (h != b)",
)


@pytest.mark.parametrize("text", SAID)
def test_parentheses_are_where_they_are_due(text: str) -> None:
    """What is printed is what was written, not one parenthesis more or less."""
    graph = elman(f"a = {text}", "h' = tanh(W @ x + U @ h + b) * mean(a)").graph
    value = graph.value("a")
    assert value is not None
    assert formula(graph, value.node, node_names(graph)) == text


def test_a_node_is_called_by_its_place_where_that_is_asked_for() -> None:
    """An inner node is named, by its place, where it has a line of its own."""
    graph = elman("h' = tanh(W @ x + U @ h + b)").graph
    names = node_names(graph)
    inner = graph.nodes[graph.output].args[0]
    assert formula(graph, graph.output, names, {inner}) == f"tanh(%{inner})"


def sayable(graph: Graph) -> bool:
    """Whether the language has words for everything in a step, one for each."""
    if any(not graph.nodes[v.node].args for v in graph.values):
        return False  # a second name of a leaf is said by the leaf's
    primed = {v.name for v in graph.values if v.name.endswith("'")}
    if primed - {f"{s.name}'" for s in graph.states}:
        return False  # carried from micro-step to micro-step, which a formula is not
    live = reachable(graph.nodes, {v.node for v in graph.values})
    return not any(_unsayable(graph.nodes[n]) for n in live)


def _unsayable(node: Node) -> bool:
    if node.op == "const":
        # A rounded number, and a number in every entry of a vector, are others.
        return bool(node.shape) or float(f"{node.attr:g}") != node.attr
    plain = str(node.attr).isidentifier()
    return node.op in ("fill", "slice") or (node.op == "size" and not plain)


def canonical(graph: Graph, known: dict[object, int]) -> dict[str, int]:
    """Return a number for every value: equal for equal expressions."""
    ids: list[int] = []
    for node in graph.nodes:
        key = (node.op, tuple(ids[arg] for arg in node.args), node.attr, node.shape)
        ids.append(known.setdefault(key, len(known)))
    return {value.name: ids[value.node] for value in graph.values}


def second_names(graph: Graph) -> set[str]:
    """Return names of values that have another one; no formula says these."""
    found: dict[int, list[str]] = {}
    for value in graph.values:
        found.setdefault(value.node, []).append(value.name)
    return {name for names in found.values() for name in names[1:]}


def retold(graph: Graph) -> str:
    """Return a cell's text made of its declarations and its printed formulas."""
    names = node_names(graph)
    dims = [("input", i.name, i.shape) for i in graph.inputs]
    dims += [("state", s.name, s.shape) for s in graph.states]
    live = reachable(graph.nodes, {value.node for value in graph.values})
    read = {names[node] for node in live}
    dims += [(p.role, p.name, p.shape) for p in graph.parameters if p.name in read]
    lines: list[str] = []
    for kind, name, shape in dims:
        sizes = ", ".join(str(size).replace("*", " * ") for size in shape)
        lines.append(f"{kind} {name}" + (f" [{sizes}]" if shape else ""))
    for c in graph.constants:
        if c.name not in read:
            continue
        axes = ", ".join(f"i{n}: {size}" for n, size in enumerate(c.shape))
        lines.append(f"constant {c.name}" + (f" [{axes}]" if axes else "") + " = 0.5")
    lines.append(f"output {names[graph.output]}")
    again = second_names(graph)
    for value in graph.values:
        if value.name not in again:
            lines.append(f"{value.name} = {formula(graph, value.node, names)}")
        elif value.name.endswith("'"):
            lines.append(f"{value.name} = {names[value.node]}")
    said = "\n".join(lines)
    sizes = [
        f"size {s.name}" + ("" if s.default is None else f" = {s.default}")
        for s in graph.sizes
        if s.derived is None
        and s.name not in ("input_size", "hidden_size")
        # A size of nothing but first values is not among what is retold.
        and re.search(rf"\b{s.name}\b", said)
    ]
    return "\n".join([*sizes, said]) + "\n"


def test_printed_formulas_say_the_same_cell(cell_seed: int) -> None:
    """Parsed again, the formulas of a cell give its graph."""
    graphs = [drawn(case, cell_seed)[0].graph for case in CASES]
    told = [(graph, retold(graph)) for graph in graphs if sayable(graph)]
    # Parts that have no name are written out, and a file's statements have a limit.
    tried = [
        (graph, text)
        for graph, text in told
        if max(map(len, text.splitlines())) <= MAX_STATEMENT
    ]
    assert len(tried) > len(graphs) // 3
    for graph, text in tried:
        known: dict[object, int] = {}
        found, expected = canonical(find(text).graph, known), canonical(graph, known)
        assert expected.keys() - found.keys() <= second_names(graph), text
        assert found == {name: expected[name] for name in found}, text
