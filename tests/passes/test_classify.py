"""Tests of `cellwright.passes.classify`."""

import re

import pytest

from cellwright.cells import find, load, names
from cellwright.ir.builder import Builder
from cellwright.ir.graph import Graph, State
from cellwright.ir.ops import BACKWARD_ONLY, OPS, Op
from cellwright.ir.sizes import Size
from cellwright.passes.classify import Degree, classify, degrees

H = (Size.named("hidden_size"),)

CLASSES = {
    # Gates and candidate see x alone: the papers compute all steps at once.
    "linear": "min_gru min_lstm qrnn_pool sru_first",
    # A unit sees its own past alone: IndRNN's u * h, the v * c of SRU's gates.
    "elementwise": "indrnn sru",
    # A matrix, or a norm over the units, stands before the next state.
    "recurrent": (
        "antisymmetric cifg clockwork elman elman_relu gru gru_reset_before izhikevich "
        "janet jordan lif lstm lstm_1997 lstm_1997_blocks lstm_norm_joint "
        "lstm_norm_per_gate lstm_norm_stored lstm_proj mgu multiplicative_lstm "
        "nested_lstm odyssey_fgr odyssey_nfg odyssey_niaf odyssey_nig odyssey_noaf "
        "odyssey_nog odyssey_np peephole_lstm phased_lstm rhn rhn_coupled slstm ugrnn"
    ),
}
"""Every cell of the library under the class that its paper gives it."""


def test_every_cell_has_the_class_of_its_paper():
    """No cell of the library is missing, and none is in another class."""
    found: dict[str, list[str]] = {name: [] for name in CLASSES}
    for name in names():
        found[classify(load(name).graph)].append(name)
    assert {kind: " ".join(cells) for kind, cells in found.items()} == CLASSES


DECLARED = {
    "w": "weight w [hidden_size]\n",
    "U": "weight U [hidden_size, hidden_size]\n",
    "k": "constant k = 0.5\n",
}


def cell(equation: str) -> Graph:
    """Return a cell of one state from the right side of its equation."""
    used = set(re.findall(r"\w+", equation))
    declared = "".join(line for name, line in DECLARED.items() if name in used)
    return find(
        "size input_size = hidden_size\ninput x [input_size]\nstate s [hidden_size]\n"
        f"{declared}output s'\ns' = {equation}\n"
    ).graph


@pytest.mark.parametrize(
    ("equation", "found"),
    [
        ("s + x", "linear"),
        ("x - s", "linear"),
        ("-s + x", "linear"),
        ("sigmoid(x) * s + w * x", "linear"),
        ("s / (1 + x) + k", "linear"),
        ("where(x > 0, s, 2 * s)", "linear"),
        ("where(w == 0, s, x)", "linear"),
        ("s * s + x", "elementwise"),
        ("x / (2 + s)", "elementwise"),
        ("where(s > 0, x, 0)", "elementwise"),
        ("tanh(s) + x", "elementwise"),
        ("maximum(s, x)", "elementwise"),
        ("s % 2 + x", "elementwise"),
        ("s ** 2 + x", "elementwise"),
        ("stop_gradient(s) + x", "elementwise"),
        ("surrogate(s, tanh(s)) + x", "elementwise"),
        ("U @ s + x", "recurrent"),
        ("s - mean(s) + x", "recurrent"),
        ("max(s) * x", "recurrent"),
        ("tanh(U @ s) * s + x", "recurrent"),
        ("0 * (s * s) + s + x", "linear"),
    ],
)
def test_equation_has_its_class(equation: str, found: str):
    """A state's own equation decides: affine, bent, or mixing units."""
    assert classify(cell(equation)) == found


def test_vector_ops_mix():
    """Moving entries makes a unit hang on the states of others."""
    moved = find(
        "size input_size = hidden_size\ninput x [input_size]\n"
        "state s [2 * hidden_size]\noutput s'\n"
        "a, b = split(s)\ns' = concat(b + x, a)\n"
    )

    assert classify(moved.graph) == "recurrent"


def test_output_does_not_count():
    """What no state hangs on may do what it likes with the states."""
    squashed = find(
        "size input_size = hidden_size\ninput x [input_size]\nstate s [hidden_size]\n"
        "weight U [hidden_size, hidden_size]\noutput y\ns' = s + x\ny = tanh(U @ s')\n"
    )

    assert classify(squashed.graph) == "linear"


@pytest.mark.parametrize(
    "op",
    [
        op
        for op in OPS.values()
        if op.arity != 0 and op.kind != "draw" and op.name not in BACKWARD_ONLY
    ],
    ids=lambda op: op.name,
)
def test_no_op_is_linear_by_default(op: Op):
    """An op of a state is affine only where a rule says so."""
    affine = {"add", "sub", "neg", "fill"}
    builder = Builder(fold=False)
    state = builder.leaf("state", "s", H)
    shape = {"fill": (), "transpose": (*H, *H)}.get(op.name, H)
    argument = builder.leaf("state", "t", shape) if shape != H else state
    args = [argument] * (op.arity or 2)
    if op.name == "matmul":
        args[0] = builder.leaf("parameter", "U", (*H, *H))
    attr = {"slice": (Size.number(0), *H), "repeat": Size.number(2), "fill": H}
    node = builder.op(op.name, *args, attr=attr.get(op.name))
    graph = Graph(
        "one",
        tuple(builder.nodes),
        (),
        (),
        (),
        (State("s", H, 0, node),),
        (),
        (),
        (),
        0,
    )

    assert (degrees(graph)[node] == Degree.AFFINE) == (op.name in affine)
