"""The executable specification of a graph: what must hold after every pass.

`verify` returns its graph, so it can stand anywhere in a pipeline.
"""

from __future__ import annotations

from .graph import Binding, Graph, Node, bindings, reachable
from .ops import INIT_ONLY, OPS, ShapeFault
from .sizes import Shape, shape_text


class GraphFault(AssertionError):
    """A graph that breaks its own rules: a fault of ours, never of the user."""


def verify(graph: Graph) -> Graph:
    """Check every rule of the representation and return the graph.

    Raises:
        GraphFault: naming the graph, the node and the rule.
    """
    for position, node in enumerate(graph.nodes):
        fault = _node_fault(graph.nodes, position, node)
        if fault:
            raise GraphFault(f"{graph.name} %{position} {node.op}: {fault}")
    for fault in (*_root_faults(graph), *_declaration_faults(graph)):
        raise GraphFault(f"{graph.name}: {fault}")
    return graph


def _node_fault(nodes: tuple[Node, ...], position: int, node: Node) -> str | None:
    row = OPS.get(node.op)
    if row is None:
        return "no such op"
    if any(not 0 <= arg < position for arg in node.args):
        return f"arguments {node.args} do not stand before it"
    if row.arity != len(node.args) and (row.arity is not None or not node.args):
        return f"takes {row.arity} arguments, has {len(node.args)}"
    if row.shape is None:
        return None
    try:
        shape = row.shape([nodes[arg].shape for arg in node.args], node.attr)
    except ShapeFault as fault:
        return str(fault)
    if shape != node.shape:
        return f"says {shape_text(node.shape)}, is {shape_text(shape)}"
    return None


def _root_faults(graph: Graph) -> list[str]:
    faults: list[str] = []
    first = {s.first for s in graph.states}
    inits = {p.init for p in graph.parameters if p.init is not None}
    inits |= {c.init for c in graph.constants}
    step = {s.next for s in graph.states} | {graph.output}
    step |= {v.node for v in graph.values}
    binding = bindings(graph)
    for position in reachable(graph.nodes, first | step):
        if graph.nodes[position].op in INIT_ONLY:
            faults.append(f"%{position} belongs to first values only")
    for position in reachable(graph.nodes, first | inits):
        if binding[position] > Binding.WEIGHTS:
            faults.append(f"%{position} in a first value hangs on inputs or states")
    for position in reachable(graph.nodes, step):
        node = graph.nodes[position]
        if node.op == "matmul" and binding[node.args[0]] > Binding.WEIGHTS:
            faults.append(f"%{position} has a matrix that hangs on inputs or states")
    return faults


def _declaration_faults(graph: Graph) -> list[str]:
    faults: list[str] = []
    declared: dict[tuple[str, str], Shape] = {}
    for op, rows in (
        ("input", graph.inputs),
        ("state", graph.states),
        ("parameter", graph.parameters),
        ("constant", graph.constants),
    ):
        for row in rows:
            if (op, row.name) in declared:
                faults.append(f"{op} {row.name} is declared twice")
            declared[op, row.name] = row.shape
    for position, node in enumerate(graph.nodes):
        if node.op in ("input", "state", "parameter", "constant"):
            shape = declared.get((node.op, str(node.attr)))
            if shape != node.shape:
                faults.append(f"%{position} {node.op} {node.attr} is not declared so")
    for state in graph.states:
        for which, root in (("first", state.first), ("next", state.next)):
            if graph.nodes[root].shape != state.shape:
                faults.append(f"the {which} value of {state.name} has another shape")
    return faults
