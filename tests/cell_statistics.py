"""What a cell is made of, counted, and what random cells together must be made of."""

import re
from collections import Counter

from cellwright.ir.graph import Binding, Graph, Node, bindings
from cellwright.ir.ops import BACKWARD_ONLY, OPS
from cellwright.language.functions import FUNCTIONS

OPERATORS = ("+", "-", "*", "/", "%", "**", "@", "<", "<=", ">", ">=", "==", "!=")

PRODUCTS = (
    "W @ x",
    "U @ h",
    "(U * M) @ h",
    "tanh(U) @ h",
    "block-diagonal @ h",
    "W @ (U @ h)",
    "U @ (f * h)",
    "W @ b",
    "W @ other",
)
"""What stands on the left and the right of a product."""

CONSTRUCTS = (
    "1 states",
    "2 states",
    "3 states",
    "4 states",
    "scalar state",
    "state of its own size",
    "first value from a parameter",
    "first value from another state",
    "first value -inf",
    "second input",
    "scalar input",
    "derived input_size",
    "derived size",
    "count and for",
    "split in equal parts",
    "split in given parts",
    "scalar parameter",
    "peephole",
    "bias",
    "constant argument",
    "constant matrix",
    "initialiser from a parameter",
    "stop_gradient of a state",
    "scalar output",
    "output of a value",
    "description",
)

REQUIRED = (
    *(f"op {name}" for name in OPS if name not in BACKWARD_ONLY),
    *(f"function {name}" for name in FUNCTIONS),
    *(f"operator {sign}" for sign in OPERATORS),
    *(f"product {pattern}" for pattern in PRODUCTS),
    *CONSTRUCTS,
)
"""Everything that a run over random cells must have met."""


def features(graph: Graph, text: str) -> set[str]:
    """Return what one cell has of the above."""
    code = re.sub(r"#.*", "", text)
    words = set(re.findall(r"\w+", code))
    signs = set(re.findall(r"[-+*/%@<>=!]+", code))
    binding = bindings(graph)
    found = {f"op {node.op}" for node in graph.nodes}
    found |= {f"function {name}" for name in words & FUNCTIONS.keys()}
    found |= {f"operator {sign}" for sign in signs & set(OPERATORS)}
    found |= {
        f"product {_product(graph, node, binding)}"
        for node in graph.nodes
        if node.op == "matmul"
    }
    return found | _constructs(graph, code, text)


def _product(graph: Graph, node: Node, binding: list[Binding]) -> str:
    left, right = (graph.nodes[arg] for arg in node.args)
    if len(left.shape) == 3:
        return "block-diagonal @ h"
    if left.op != "parameter":
        return "tanh(U) @ h" if left.op == "tanh" else "(U * M) @ h"
    if binding[node.args[1]] == Binding.WEIGHTS:
        return "W @ b"
    named = {"input": "W @ x", "state": "U @ h", "matmul": "W @ (U @ h)"}
    named["mul"] = "U @ (f * h)"
    return named.get(right.op, "W @ other")


def _constructs(graph: Graph, code: str, text: str) -> set[str]:
    first = [graph.nodes[s.first] for s in graph.states]
    peephole = {"parameter", "state"}
    pairs = [
        {graph.nodes[arg].op for arg in node.args}
        for node in graph.nodes
        if node.op == "mul" and len(node.shape) == 1
    ]
    known = {
        f"{len(graph.states)} states": True,
        "scalar state": any(not s.shape for s in graph.states),
        "state of its own size": re.search(r"state \w+ \[(m|wide|heads)", code),
        "first value from a parameter": any(n.op == "tanh" for n in first),
        "first value from another state": re.search(r"state.* = 0.5 \* \w", code),
        "first value -inf": any(n.attr == float("-inf") for n in first),
        "second input": len(graph.inputs) > 1,
        "scalar input": any(not i.shape for i in graph.inputs),
        "derived input_size": "size input_size" in code,
        "derived size": "size wide" in code,
        "count and for": "for l in" in code,
        "split in equal parts": re.search(r"= split\([^\n]*\)(?<!hidden_size\))", code),
        "split in given parts": re.search(r"= split\([^\n]*, m, hidden_size\)", code),
        "scalar parameter": any(not p.shape for p in graph.parameters),
        "peephole": peephole in pairs,
        "bias": any(p.role == "bias" for p in graph.parameters),
        "constant argument": any(not c.shape for c in graph.constants),
        "constant matrix": any(len(c.shape) == 2 for c in graph.constants),
        "initialiser from a parameter": re.search(r"weight.* = p\d", code),
        "stop_gradient of a state": re.search(r"stop_gradient\([hcuv]\)", code),
        "scalar output": not graph.output_shape,
        "output of a value": re.search(r"output y\d", code),
        "description": "#" in text.partition("\n")[2],
    }
    return {name for name, holds in known.items() if holds}


def table(counts: Counter[str], cells: int) -> str:
    """Return how often everything was met, one line a group."""
    groups: dict[str, list[str]] = {}
    for name in REQUIRED:
        kind, _, rest = name.partition(" ")
        known = kind in ("op", "function", "operator", "product")
        entry = f"{rest if known else name} {counts[name]}"
        groups.setdefault(kind if known else "construct", []).append(entry)
    lines = [f"{kind}s: {', '.join(entries)}" for kind, entries in groups.items()]
    return "\n".join([f"{cells} random cells", *lines])
