"""Tests of where everything stands: nothing is in the way of anything else."""

from itertools import combinations
from random import Random

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.figures.arrange import arranged
from cellwright.explain.figures.grid import grid
from cellwright.explain.figures.layers import conveyors
from cellwright.explain.figures.reading import wiring
from cellwright.explain.figures.scene import Point, Text
from edge_cells import EDGES
from random_cells import draw_cell
from scene_checks import crossings, faults


@pytest.mark.parametrize("name", names())
def test_a_cell_of_the_library_has_no_fault(name: str):
    """No text, box or line lies over another one."""
    assert faults(arranged(wiring(load(name)))) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_random_cell_has_no_fault(seed: int):
    """Nor does it in cells that nobody has looked at."""
    cell = find(draw_cell(Random(seed)))
    assert faults(arranged(wiring(cell))) == []


@pytest.mark.parametrize("words", EDGES)
def test_a_cell_at_an_edge_has_no_fault(words: str):
    """Nor in cells of which random ones are rarely."""
    assert faults(arranged(wiring(find(f"# A cell.\n{EDGES[words]}")))) == []


@pytest.mark.parametrize("carried", [1, 2, 3])
def test_micro_steps_that_carry_several_values_have_no_fault(carried: int):
    """Each has a way back of its own, below the others."""
    values = [f"v{n}" for n in range(carried)]
    steps = [f"    {v}' = tanh(U @ {v} + W @ x) * {values[0]}" for v in values]
    text = [
        "# A cell.",
        "count depth = 2",
        "input x [input_size]",
        "state h [hidden_size]",
        "weight W [hidden_size, input_size]",
        "output h'",
        *(f"{v} = h" for v in values),
        "for l in 1..depth:",
        "    weight U [hidden_size, hidden_size]",
        *steps,
        "h' = " + " + ".join(f"{v}'" for v in values),
    ]
    scene = arranged(wiring(find("\n".join(text) + "\n")))

    assert faults(scene) == []
    assert sum(line.style == "again" for line in scene.lines) == carried


@pytest.mark.parametrize("name", names())
def test_a_state_that_is_handed_on_runs_straight(name: str):
    """What carries a state entry by entry is one straight line, above all others."""
    found = wiring(load(name))
    scene = arranged(found)
    for way in conveyors(found):
        lines = [
            line
            for wire in way
            for line in scene.lines
            if line.ends == (wire.source.part, wire.target)
        ]
        heights = {point[1] for line in lines for point in line.points}
        assert {line.style for line in lines} == {"lane"}
        assert len(heights) == 1


@pytest.mark.parametrize(
    ("name", "states"),
    [("lstm", ["c"]), ("gru", ["h"]), ("slstm", ["c", "n", "m"]), ("elman", [])],
)
def test_states_that_are_handed_on_are_found(name: str, states: list[str]):
    """The cell state of an LSTM is one, its hidden state is none."""
    found = wiring(load(name))
    begins = [found.parts[way[0].source.part].lines[0] for way in conveyors(found)]
    assert begins == states


def test_lines_cross_no_more_often_than_when_they_were_looked_at():
    """A change of the layout that makes the library harder to read is seen."""
    found = {name: crossings(arranged(wiring(load(name)))) for name in names()}

    assert [found[name] for name in ("elman", "lstm", "gru")] == [0, 0, 1]
    assert sum(found.values()) <= 64, found


@pytest.mark.parametrize("name", names())
def test_lines_enter_a_part_in_the_order_in_which_they_come(name: str):
    """What comes from above enters above, so that no two cross before a part."""
    found = grid(wiring(load(name)))
    for place, links in enumerate(found.layers.links):
        for one, other in combinations(links, 2):
            if one.end == other.end:
                heights = [
                    found.tops[place][link.start] + found.offsets[place][link][0]
                    for link in (one, other)
                ]
                entered = [found.offsets[place][link][1] for link in (one, other)]
                assert (heights[0] < heights[1]) == (entered[0] < entered[1])


def test_values_go_from_the_left_to_the_right():
    """Each wire but that to the next micro-step enters behind where it leaves."""
    for name in names():
        for line in arranged(wiring(load(name))).lines:
            forward = line.points[0][0] < line.points[-1][0]
            assert forward != (line.style == "again"), (name, line)


@pytest.mark.parametrize(
    "equation",
    [
        "sigmoid(x) / softplus(x) - tanh(h)",
        "tanh(h) - sigmoid(x) / softplus(x)",
        "tanh(h) - sigmoid(x) - softplus(x) - h",
        "x * h - tanh(h) * x",
    ],
)
def test_a_sign_stands_at_its_own_wire(equation: str):
    """No other arrow that ends at the same part is as near."""
    lines = [
        "# A cell.",
        "input x [hidden_size]",
        "state h [hidden_size]",
        "output h'",
        f"h' = {equation}",
    ]
    cell = wiring(find("\n".join([*lines, ""])))
    scene = arranged(cell)
    beside = [text for shape in scene.shapes for text in shape.beside]
    signs = [text for text in beside if text.text in ("−", "÷")]
    ends = {line.ends: line.points[-1] for line in scene.lines if line.arrow}
    marked = [wire for wire in cell.wires if wire.mark]
    assert len(signs) == len(marked) > 0
    for wire in marked:
        own = ends.pop((wire.source.part, wire.target))
        sign = min(signs, key=lambda text: _apart(text, own))
        others = [y for (_, to), (_, y) in ends.items() if to == wire.target]
        assert sign.text == wire.mark
        assert abs(sign.y - own[1]) < 0.7 * min(abs(sign.y - y) for y in others)
        ends[wire.source.part, wire.target] = own


def _apart(sign: Text, point: Point) -> float:
    return abs(sign.x - point[0]) + abs(sign.y - point[1])


@pytest.mark.parametrize("name", ["q", "gate", "new_gate"])
@pytest.mark.parametrize(
    "equation", ["x * h - tanh(h) * x", "tanh(h) / softplus(x)", "1 - x - h"]
)
def test_a_sign_is_not_in_the_way_of_a_name(equation: str, name: str):
    """Both stand below a circle."""
    lines = [
        "# A cell.",
        "input x [hidden_size]",
        "state h [hidden_size]",
        "output h'",
        f"{name} = {equation}",
        f"h' = sigmoid({name}) * h",
    ]
    assert faults(arranged(wiring(find("\n".join([*lines, ""]))))) == []
