"""The executable specification of a graph: what must hold after every pass.

`verify` returns its graph, so it can stand anywhere in a pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator

from .graph import Binding, Graph, Node, bindings, reachable
from .ops import INIT_ONLY, OPS, ShapeRuleError
from .sizes import Shape, SizeError, shape_text

_DECLARED = ("input", "state", "parameter", "constant")


class GraphRuleError(AssertionError):
    """A graph that breaks its own rules: a fault of ours, never of the user."""


def verify(graph: Graph) -> Graph:
    """Check every rule of the representation and return the graph.

    Raises:
        GraphRuleError: naming the graph, the node and the rule.
    """
    for position, node in enumerate(graph.nodes):
        fault = _node_fault(graph.nodes, position, node)
        if fault:
            raise GraphRuleError(f"{graph.name} %{position} {node.op}: {fault}")
    # Each check relies on those before it.
    for faults in (_place_faults, _binding_faults, _declaration_faults):
        for fault in faults(graph):
            raise GraphRuleError(f"{graph.name}: {fault}")
    return graph


def _node_fault(nodes: tuple[Node, ...], position: int, node: Node) -> str | None:
    row = OPS.get(node.op)
    if row is None:
        return "no such op"
    if any(not 0 <= arg < position for arg in node.args):
        return f"arguments {node.args} do not stand before it"
    if row.arity != len(node.args) and (row.arity is not None or not node.args):
        return f"takes {row.arity or 'some'} arguments, has {len(node.args)}"
    if row.shape is None:
        return None
    try:
        shape = row.shape([nodes[arg].shape for arg in node.args], node.attr)
    except (ShapeRuleError, SizeError) as fault:
        return str(fault)
    if shape != node.shape:
        return f"says {shape_text(node.shape)}, is {shape_text(shape)}"
    return None


def _roots(graph: Graph) -> Iterator[tuple[str, int]]:
    yield "output", graph.output
    for state in graph.states:
        yield f"first value of {state.name}", state.first
        yield f"next value of {state.name}", state.next
    for row in (*graph.parameters, *graph.constants):
        if row.init is not None:
            yield f"first value of {row.name}", row.init
    for value in graph.values:
        yield f"value {value.name}", value.node


def _place_faults(graph: Graph) -> Iterator[str]:
    for what, root in _roots(graph):
        if not 0 <= root < len(graph.nodes):
            yield f"the {what} is %{root}, which is no node"


def _binding_faults(graph: Graph) -> Iterator[str]:
    first = {s.first for s in graph.states}
    inits = {p.init for p in graph.parameters if p.init is not None}
    inits |= {c.init for c in graph.constants}
    step = {s.next for s in graph.states} | {graph.output}
    step |= {v.node for v in graph.values}
    binding = bindings(graph)
    for position in sorted(reachable(graph.nodes, first | step)):
        if graph.nodes[position].op in INIT_ONLY:
            yield f"%{position} belongs to first values of parameters only"
    for position in sorted(reachable(graph.nodes, first | inits)):
        if binding[position] > Binding.WEIGHTS:
            yield f"%{position} in a first value hangs on inputs or states"
    for position in sorted(reachable(graph.nodes, step)):
        node = graph.nodes[position]
        if node.op == "matmul" and binding[node.args[0]] > Binding.WEIGHTS:
            yield f"%{position} has a matrix that hangs on inputs or states"


def _declaration_faults(graph: Graph) -> Iterator[str]:
    declared: dict[tuple[str, str], Shape] = {}
    rows = (graph.inputs, graph.states, graph.parameters, graph.constants)
    for op, kind in zip(_DECLARED, rows, strict=True):
        for row in kind:
            if (op, row.name) in declared:
                yield f"{op} {row.name} is declared twice"
            declared[op, row.name] = row.shape
    for position, node in enumerate(graph.nodes):
        shape = declared.get((node.op, str(node.attr)))
        if node.op in _DECLARED and shape != node.shape:
            yield f"%{position} {node.op} {node.attr} is not declared so"
    for row in (*graph.parameters, *graph.constants):
        if row.init is not None and graph.nodes[row.init].shape != row.shape:
            yield f"the first value of {row.name} has another shape"
    for state in graph.states:
        for which, root in (("first", state.first), ("next", state.next)):
            if graph.nodes[root].shape != state.shape:
                yield f"the {which} value of {state.name} has another shape"
    names = [value.name for value in graph.values]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"value {name} stands twice"
