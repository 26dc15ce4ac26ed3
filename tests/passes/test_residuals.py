"""What the forward step keeps for the backward one."""

import pytest

from backward_reference import CASES, case_id, drawn
from cellwright.backends.c.ops import C
from cellwright.cells import find, load
from cellwright.ir.builder import Builder
from cellwright.ir.formula import formula
from cellwright.ir.graph import Binding, Graph, bindings, reachable
from cellwright.ir.ops import OPS, Attr
from cellwright.passes.differentiate import differentiate
from cellwright.passes.gather import gather
from cellwright.passes.pipeline import compile_graph
from cellwright.passes.residuals import FUNCTIONS, recomputed
from cellwright.passes.roots import node_names

HEAD = (
    "input x [input_size]\nstate h [hidden_size]\nweight W [hidden_size, input_size]\n"
    "weight U [hidden_size, hidden_size]\n"
)
KEPT = {
    "lstm": ("x, h, c, i, f, g, o, c'", "tanh(c')"),
    "gru": ("x, h, r, z, n, d_n + U_n @ h", "1 - z"),
    "elman": ("x, h, h'", ""),
    "elman_relu": ("x, h, h'", ""),
    # What a step makes of h is there for the next step; what it makes of s is not.
    f"{HEAD}state s [hidden_size]\noutput y\n"
    "h' = W @ x + U @ h\ns' = s + tanh(h')\ny = 2 * s'": ("x, h, h'", "tanh(h')"),
    # i and f are made of the logarithms that say which of them is the larger.
    "slstm": (
        "x, h, c, n, a, q, z, o, b_f + W_f @ x + R_f @ h, c', n'",
        "m', a - m', q - m', i, f, o * c'",
    ),
    # Any number of ops may lie between, and each is made once.
    f"{HEAD}output y\nh' = W @ x + U @ h\ny = exp(tanh(h') * tanh(h')) * h'": (
        "x, h, h'",
        "tanh(h'), tanh(h') * tanh(h'), exp(tanh(h') * tanh(h'))",
    ),
    # One array is worth two functions, and not three.
    f"{HEAD}output y\nh' = W @ x + U @ h\ny = floor(exp(floor(exp(h')))) * h'": (
        "x, h, h'",
        "exp(h'), floor(exp(h')), exp(floor(exp(h'))), floor(exp(floor(exp(h'))))",
    ),
    f"{HEAD}output y\nh' = W @ x + U @ h\n"
    "y = floor(exp(floor(exp(floor(exp(h')))))) * h'": (
        "x, h, floor(exp(floor(exp(floor(exp(h'))))))",
        "",
    ),
    # The C library takes its time for every number.
    f"{HEAD}output y\nh' = W @ x + U @ h\ny = sin(h') * h'": ("x, h, h', sin(h')", ""),
    # A product is no elementwise op: it costs more to make than to keep.
    f"{HEAD}output h'\nh' = tanh(W @ x + U @ (U @ h))": ("x, h, U @ h, h'", ""),
}
"""What the backward step reads of each cell, and what it makes again instead."""


def words(graph: Graph, nodes: set[int]) -> set[str]:
    """Return names, or formulas, of nodes."""
    names = node_names(graph)
    return {
        formula(graph, n, names) if names[n].startswith("%") else names[n]
        for n in nodes
    }


@pytest.mark.parametrize("cell", KEPT)
def test_kept_values(cell: str):
    """A cell keeps what its backward equations read and cannot make again."""
    kept, anew = KEPT[cell]
    graph = gather(find(cell).graph)
    plain = set(differentiate(graph).kept.values())
    chosen = recomputed(graph, plain)
    backward = differentiate(graph, (), chosen)
    assert words(graph, set(backward.kept.values())) == set(kept.split(", "))
    assert words(graph, set(chosen)) == set(filter(None, anew.split(", ")))


def test_every_function_has_a_count():
    """What is written in C as a function is a row, if only one of 0."""
    called = {op for op, form in C.items() if form.text.startswith("v_")}
    assert FUNCTIONS.keys() == called
    assert all(OPS[op].kind == "elementwise" for op in FUNCTIONS)


def test_saved_arrays_of_the_lstm():
    """A state is read from what the steps before have made of it."""
    forward = compile_graph(load("lstm").graph).forward
    saved = {name: forward.names[node] for name, node in forward.saved.items()}
    own = {name: name for name in ("i", "f", "g", "o", "c'")}
    assert saved == {**own, "h": "h'", "c": "c'"}


def test_each_value_is_made_once(monkeypatch: pytest.MonkeyPatch):
    """One that two others are made of is not looked through for both of them."""
    links = [f"v{i} = v{i - 1} * v{i - 1}" for i in range(1, 13)]
    text = "\n".join(
        [f"{HEAD}output h'", "v0 = W @ x + U @ h", *links, "h' = tanh(v12)"]
    )
    calls: list[str] = []
    op = Builder.op

    def noted(self: Builder, name: str, *args: int, attr: Attr = None) -> int:
        calls.append(name)
        return op(self, name, *args, attr=attr)

    monkeypatch.setattr(Builder, "op", noted)
    graph = gather(find(text).graph)
    anew = recomputed(graph, differentiate(graph).kept.values())
    calls.clear()
    differentiate(graph, (), anew)
    assert len(calls) < 8 * len(links)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_every_kept_value_is_needed(case: tuple[str, str], cell_seed: int):
    """Each is read, none that is computed anew is kept, and all can be had."""
    _, problem, _ = drawn(case, cell_seed)
    graph = problem.graph
    chosen = recomputed(graph, differentiate(graph).kept.values())
    backward = differentiate(graph, (), chosen)
    back = backward.graph
    asked = {v.node for v in back.values} | {s.next for s in back.states}
    live = reachable(back.nodes, asked)
    read = {back.nodes[n].attr for n in live if back.nodes[n].op == "input"}
    assert backward.kept.keys() <= read
    assert not chosen & set(backward.kept.values())
    assert all(bindings(graph)[node] != Binding.WEIGHTS for node in chosen)
    names = node_names(graph)
    assert all(names[node] == name for name, node in backward.kept.items())
