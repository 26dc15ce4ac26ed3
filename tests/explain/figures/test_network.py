"""Tests of the networks, folded and step by step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cellwright.cells import load, names
from cellwright.explain import LayerBox, layer_box, network_figure
from cellwright.explain.counts import SizeError
from cellwright.explain.figures.network import folded, unrolled
from cellwright.explain.figures.scene import Scene
from cellwright.explain.layers.boxes import boxes_of
from cellwright.explain.stacks import read_stack
from cellwright.explain.summary import summary
from scene_checks import faults

GOLDEN = Path(__file__).parent / "golden"
LSTM = layer_box(load("lstm"))
SIZES = {"input_size": 1, "hidden_size": 300}


def said(scene: Scene) -> list[str]:
    """Return every text of a picture."""
    inside = [text.text for shape in scene.shapes for text in shape.texts]
    return [*inside, *(text.text for text in scene.texts)]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("steps", [None, 1, 4])
def test_a_layer_of_any_cell_has_no_fault(name: str, steps: int | None):
    """No text, box or line lies over another one, however many steps there are."""
    layers = [layer_box(load(name))]
    assert faults(unrolled(layers, steps)) == []
    assert faults(folded(layers, steps)) == []


@pytest.mark.parametrize("directions", [(1, 1), (2, 1), (1, 2), (2, 2), (2, 2, 1)])
@pytest.mark.parametrize("steps", [None, 3])
def test_a_stack_has_no_fault(directions: tuple[int, ...], steps: int | None):
    """Layers on one another, and those that read from behind, keep apart."""
    layers = [
        replace(layer_box(load(name)), directions=number)
        for name, number in zip(("slstm", "gru", "lstm_proj"), directions, strict=False)
    ]
    assert faults(unrolled(layers, steps)) == []
    assert faults(folded(layers, steps)) == []


def test_an_unrolled_layer_is_the_golden_one(golden):
    """What is written is what a person has looked at."""
    layer = layer_box(load("lstm"), SIZES)
    golden(GOLDEN / "lstm-unrolled.svg", network_figure([layer], 100))


def test_the_folded_network_says_each_shape_once():
    """Sequences have T and B before their size, states B alone."""
    found = said(folded([LSTM]))

    for text in ("[T, B, I]", "[T, B, H]", "h, c: [B, H]", "H units"):
        assert found.count(text) == 1, text


def test_the_unrolled_network_says_what_is_asked_most():
    """The weights are the same at every step, and units are no steps."""
    found = said(unrolled([layer_box(load("lstm"), SIZES)], 100))

    assert "The same weights at every step: 362,400 in lstm." in found
    assert (
        "Units are not time steps: 300 units, however long the sequence is (T = 100)."
        in found
    )
    assert [t for t in found if t.startswith("t = ")] == [
        "t = 1",
        "t = 2",
        "t = 100",
    ]


@pytest.mark.parametrize(("steps", "columns"), [(1, 1), (3, 3), (4, 3), (None, 3)])
def test_steps_are_left_out_only_where_there_are_many(steps: int | None, columns: int):
    """Up to three steps all are drawn; of more, the first two and the last."""
    scene = unrolled([LSTM], steps)
    boxes = [shape for shape in scene.shapes if shape.style == "layer"]

    assert len(boxes) == 1 + columns
    assert ("…" in said(scene)) == (steps is None or steps > columns)


def test_states_go_from_step_to_step_and_back_in_the_second_direction():
    """A line of states leads to each next step; from behind it leads the other way."""
    scene = unrolled([replace(LSTM, directions=2)], 3)
    lanes = [line for line in scene.lines if line.style == "lane"]
    forward = [line for line in lanes if line.points[0][0] < line.points[-1][0]]

    assert len(lanes) == 8
    assert len(forward) == 4
    for line in lanes:
        begins, ends = (scene.shapes[end].style for end in line.ends)
        assert begins in ("before", "layer")
        assert ends in ("after", "layer")


def test_two_directions_put_out_both():
    """The sequence behind them is twice as wide."""
    assert "[T, B, 2·H]" in said(folded([replace(LSTM, directions=2)]))
    wide = replace(layer_box(load("lstm"), SIZES), directions=2)
    assert "[T, B, 600]" in said(folded([wide]))


def test_states_of_another_size_are_told_apart():
    """The projection makes h smaller than c; a clock has no size of its own."""
    assert layer_box(load("lstm_proj")).states == (("h", "proj_size"), ("c", "H"))
    found = said(folded([layer_box(load("clockwork"))]))
    assert {"h: [B, H]", "t: [B]"} <= set(found)


def test_a_size_that_is_missing_is_an_error():
    """Half of the numbers are no numbers."""
    with pytest.raises(SizeError, match="lstm needs input_size for a number"):
        layer_box(load("lstm"), {"hidden_size": 3})


def test_a_layer_of_ones_own_needs_no_cell():
    """A few words are enough for a picture of somebody else's layer."""
    mine = LayerBox("mine", (("x", "80"),), "512", (("h", "512"),), "512", "304,128")
    assert faults(unrolled([mine, replace(mine, inputs=(("x", "512"),))], 7)) == []


CHAINS = {
    "behind the last step": "LSTM(100, input_shape=(20, 3)); Dropout(0.5); Dense(1)",
    "at each step": "Embedding(50, 5); nn.LSTM(5, 3, 2, bidirectional=True); "
    "nn.Linear(6, 4); nn.Softmax(-1)",
    "nothing recurrent": "nn.Conv2d(1, 2, 3); nn.ReLU(); nn.Flatten(); Linear(72, 4)",
}
INPUTS = {"at each step": (7, 2), "nothing recurrent": (1, 1, 8, 8)}


def drawn(name: str) -> Scene:
    """Return the picture of a line of layers."""
    stack = read_stack(CHAINS[name])
    shape = INPUTS.get(name, (1, *(stack.example or ())))
    dtypes = [torch.int64] if name == "at each step" else None
    facts = summary(stack.module, shape, dtypes=dtypes)
    return unrolled(boxes_of(stack.module, facts), 20)


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_has_no_fault(name: str):
    """Layers without states stand among the others."""
    assert faults(drawn(name)) == []


def test_what_is_behind_the_last_step_stands_there_alone():
    """Once in the folded picture, once at the last step, with the shapes between."""
    found = said(drawn("behind the last step"))

    assert found.count("Linear") == found.count("output") == 2
    assert found.count("lstm") == 4
    for text in ("[T, B, 3]", "[T, B, 100]", "[B, 100]", "[B, 1]", "last step"):
        assert text in found
    assert said(drawn("at each step")).count("Linear") == 4


def test_layers_without_states_are_drawn_once():
    """There are no steps that could stand beside them."""
    scene = drawn("nothing recurrent")

    assert said(scene).count("Conv2d") == 1
    assert not any("weights" in text for text in said(scene))
    assert scene.description == (
        "A network of 4 layers, none of them recurrent, from its input at the bottom "
        "to its output."
    )
