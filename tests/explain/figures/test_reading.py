"""Tests of the wiring: it says what the equations say, and no more."""

import re
from random import Random

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.figures.reading import wiring
from cellwright.explain.figures.wiring import Source, Wiring
from cellwright.explain.zeros import without_zeros
from cellwright.ir.graph import Binding, Graph, bindings, reachable
from cellwright.language.cell import Cell
from edge_cells import EDGES
from random_cells import draw_cell

SEEDS = range(25)


def cells() -> list[tuple[str, Cell]]:
    """Return the library, and random cells."""
    drawn = [(f"random {n}", find(draw_cell(Random(n)))) for n in SEEDS]
    return [*((name, load(name)) for name in names()), *drawn]


BUSES = """\
# Gates that share some of what they are given, and not all.
input x [input_size]
state h, k, m [hidden_size]
weight W [hidden_size, input_size]
weight U, V [hidden_size, hidden_size]
output h'
a = sigmoid(W @ x + U @ h)
b = tanh(W @ x + V @ h)
c = sigmoid(U @ h + V @ k)
d = tanh(V @ h + U @ k)
e = sigmoid(W @ x + U @ h + V @ m)
f = tanh(W @ x + V @ h + U @ m)
g = clip(a * b, c - 2, k + d)
h' = g * e
k' = f * g
m' = k
"""
"""Two lines that have h in common, and a line that goes on in another one."""

CARRIED = """\
# Two values and a state that go from micro-step to micro-step.
count depth = 2
input x [input_size]
state h, c [hidden_size]
weight W [hidden_size, input_size]
output y
a = c
b = tanh(W @ x)
for l in 1..depth:
    weight U [hidden_size, hidden_size]
    a' = sigmoid(U @ a) * b
    b' = tanh(U @ b + W @ x) + a'
    h' = tanh(U @ h + W @ x) - b'
c' = a'
y = b' * h'
"""

CELLS = {**dict(cells()), "buses": find(BUSES), "carried": find(CARRIED)}
CELLS |= {words: find(f"# A cell.\n{text}") for words, text in EDGES.items()}


def carriers(found: Wiring) -> dict[str, Source]:
    """Return by name where its value comes from; ends take it from a part."""
    places: dict[str, Source] = {}
    for place, part in enumerate(found.parts):
        for port, name in enumerate(part.names):
            places[name] = Source(place, port)
        if part.kind in ("after", "output"):
            (wire,) = [w for w in found.wires if w.target == place]
            places[part.lines[0]] = wire.source
        if part.kind in ("input", "before"):
            places[part.lines[0]] = Source(place)
    return places


def before(found: Wiring, source: Source) -> set[Source]:
    """Return a value and those that lead to it, also through micro-steps."""
    seen, stack = {source}, [source]
    while stack:
        target = stack.pop().part
        new = {w.source for w in found.wires if w.target == target} - seen
        seen |= new
        stack += new
    return seen


@pytest.mark.parametrize("name", CELLS)
def test_every_quantity_stands_once(name: str):
    """Each name that an equation defines is in one part, and nothing else is."""
    cell = CELLS[name]
    equations = [e for e in without_zeros(cell.equations) if not e.replaces_constant]
    expected = sorted(n for e in equations for n in e.names)
    # A state that has the name of an equation's value for itself stands at its end.
    found = sorted(n for part in wiring(cell).parts for n in part.names)

    assert found == expected


@pytest.mark.parametrize("name", CELLS)
def test_values_come_from_where_the_graph_says(name: str):
    """A value hangs on an input or a state in the picture as it does in the graph."""
    cell = CELLS[name]
    graph, found = cell.graph, wiring(CELLS[name])
    places = carriers(found)
    ends = {row.name for row in (*graph.inputs, *graph.states)}

    for value, positions in of_name(graph, places).items():
        sources = before(found, places[value])
        drawn = {end for end in ends if places[end] in sources}
        assert drawn == leaves(graph, positions) & ends, value


@pytest.mark.parametrize("name", CELLS)
def test_values_come_from_one_another_as_the_graph_says(name: str):
    """A named value leads to another one in the picture as it does in the graph."""
    cell = CELLS[name]
    graph, found = cell.graph, wiring(cell)
    times = bindings(graph)
    places = carriers(found)
    plain = {
        value: positions
        for value, positions in of_name(graph, places).items()
        if all(times[p] != Binding.WEIGHTS and graph.nodes[p].args for p in positions)
        # Another name of the same value is a part of the picture, and no node.
        and found.parts[places[value].part].kind != "name"
    }
    for value, positions in plain.items():
        sources = before(found, places[value])
        deep = reachable(graph.nodes, set(positions))
        for other, ends in plain.items():
            there = places[other] in sources
            assert there == bool(deep.intersection(ends)), (other, value)


def of_name(graph: Graph, places: dict[str, Source]) -> dict[str, list[int]]:
    """Return the nodes of each value by its name in the file.

    What is n_2 in the graph is n of the second micro-step, and s_2 is its s'.
    """
    found: dict[str, list[int]] = {}
    known = {value.name for value in graph.values}
    states = {state.name for state in graph.states}
    for value in graph.values:
        name = re.sub(r"_\d+$", "", value.name)
        if value.name in places or (
            name in known - {value.name} and name not in places
        ):
            name = value.name
        elif f"{name}'" in places:
            name = f"{name}'"
        if name in places:
            found.setdefault(name, []).append(value.node)
            # What is carried begins each micro-step as it ended the one before.
            carried = value.name.rpartition("_")[0]
            if name == f"{carried}'" and carried not in states:
                found.setdefault(name[:-1], []).append(value.node)
    for state in graph.states:
        found[f"{state.name}'"] = [state.next]
    # Names of one value are one in the picture, as h' and s' of the last micro-step.
    same: dict[Source, list[int]] = {}
    for name, positions in found.items():
        same.setdefault(places[name], []).extend(positions)
    return {name: same[places[name]] for name in found}


def leaves(graph: Graph, positions: list[int]) -> set[str]:
    """Return the inputs and states that nodes hang on."""
    deep = reachable(graph.nodes, set(positions))
    nodes = [graph.nodes[p] for p in deep]
    return {str(node.attr) for node in nodes if node.op in ("input", "state")}


def test_gates_get_the_same_values_by_one_line():
    """What all gates multiply comes as one line; a peephole comes by itself."""
    found = wiring(load("peephole_lstm"))
    (join,) = [place for place, part in enumerate(found.parts) if part.kind == "join"]
    gates = {p.names[0]: place for place, p in enumerate(found.parts) if p.names}

    def taken(name: str) -> list[str]:
        target = gates[name]
        sources = [w.source.part for w in found.wires if w.target == target]
        return sorted("join" if s == join else found.parts[s].lines[0] for s in sources)

    assert taken("f") == ["c", "join"]
    assert taken("g") == ["join"]
    assert "x, h together" in found.parts[join].note


def test_a_line_goes_on_in_another_one():
    """Whoever is given more than a line has gets the line and the rest."""
    found = wiring(find(BUSES))
    joins = [place for place, part in enumerate(found.parts) if part.kind == "join"]
    taken = {
        join: {
            "join" if w.source.part in joins else found.parts[w.source.part].lines[0]
            for w in found.wires
            if w.target == join
        }
        for join in joins
    }
    assert sorted(map(sorted, taken.values())) == [
        ["h", "k"],
        ["h", "x"],
        ["join", "m"],
    ]


def test_what_is_subtracted_and_what_divides_is_marked():
    """Only the operand that it matters for has a sign."""
    found = wiring(load("slstm"))
    (product,) = [w for w in found.wires if w.mark]

    assert product.mark == "÷"
    minus = wiring(find(_cell("h' = tanh(W @ x) - h * sigmoid(W @ x)")))
    assert [w.mark for w in minus.wires if w.mark] == ["−"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("x * h + h * h + 1", "+ 1"),
        ("x * h + h * h - 0.5", "+ (−0.5)"),
        ("x * h + h * h - 0.5 + 3 * b", "+ weights"),
        ("x * h + h * h + 0.25 + 3", "+ numbers"),
        ("x * h + x * h - 0.5", "+ (−0.5)"),
        ("x * h + h * h + 0.123456789", "+ 0.123457"),
        ("tanh(x) * h * 3", "× 3"),
        ("tanh(x) * h / (b + 1)", "× 1/(b + 1)"),
        ("tanh(x) * h * (1 - b)", "× (1 − b)"),
        ("tanh(x) * h / (-3)", "× 1/(−3)"),
        ("tanh(x * h) * tanh(x * h) / 4", "× 1/4"),
        ("tanh(x) * h / b", "× 1/b"),
        ("tanh(x) * h * 3 / b", "× weights"),
    ],
)
def test_a_number_in_a_sum_or_product_is_drawn(text: str, label: str):
    """Without it another cell would be drawn."""
    lines = [
        "# A cell.",
        "input x [hidden_size]",
        "state h [hidden_size]",
        *["bias b [hidden_size]"] * ("b" in text),
        "output h'",
        f"h' = {text}",
    ]
    found = wiring(find("\n".join([*lines, ""])))
    assert label in [part.lines[0] for part in found.parts if part.lines]


def test_what_stands_twice_in_a_product_is_a_square():
    """One wire would say that it stands once."""
    found = wiring(find(_cell("h' = h * h * sigmoid(W @ x) + h + h")))
    lines = [part.lines[0] for part in found.parts if part.kind == "operation"]

    assert sorted(lines) == ["+", "×", "× 2", "□²"]


def test_a_micro_step_goes_back_to_its_begin():
    """The block is drawn once; what is carried has one wire back."""
    found = wiring(load("rhn"))
    (again,) = [wire for wire in found.wires if wire.again]

    assert found.block == "for l in 1..depth"
    assert found.parts[again.target].names == ("s",)
    assert found.parts[again.source.part].names == ("s'",)
    assert sum(wire.sometimes for wire in found.wires) == 3


def test_a_gate_that_is_1_is_drawn_and_a_constant_is_not():
    """The Odyssey's variant shows its f = 1; the scale that SRU's drops is gone."""
    assert [
        p.names for p in wiring(load("odyssey_nfg")).parts if p.kind == "number"
    ] == [("f",)]
    sru = wiring(load("sru_first")).parts
    assert "× alpha" not in [line for part in sru for line in part.lines]
    assert "× alpha" in [
        line for part in wiring(load("sru")).parts for line in part.lines
    ]


def _cell(equation: str) -> str:
    return (
        "# A cell.\ninput x [input_size]\nstate h [hidden_size]\n"
        "weight W [hidden_size, input_size]\noutput h'\n" + equation + "\n"
    )
