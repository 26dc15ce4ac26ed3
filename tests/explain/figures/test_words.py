"""Tests of the short texts in pictures."""

import ast

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.figures.forms import NO_BOX
from cellwright.explain.figures.reading import wiring
from cellwright.explain.figures.words import short, wrapped
from cellwright.language.functions import FUNCTIONS

DRAWN_NOT = {"uniform", "normal", "glorot", "orthogonal"}
"""First values of weights; no equation of a step has them."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a - (b - c)", "a − (b − c)"),
        ("(a + b) * c ** 2", "(a + b)·c²"),
        ("-a / (b * c)", "(−a) / (b·c)"),
        ("where(a >= 0, b, where(c, 1, 0.5))", "b if a ≥ 0 else 1 if c else 0.5"),
        ("2 * where(a, b, c)", "2·(b if a else c)"),
        ("(M - transpose(M)) @ v", "(M − Mᵀ) v"),
        ("surrogate(v > 1, v)", "v > 1"),
        ("abs(a) ** b", "|a|^b"),
    ],
)
def test_short_texts_mean_the_same(text: str, said: str):
    """Signs are those of print, and parentheses stand where they are needed."""
    tree = ast.parse(text, mode="eval").body
    assert short(tree).replace("\N{NO-BREAK SPACE}", " ") == said


def test_texts_are_broken_evenly():
    """Lines are as few as fit, and about as long as each other."""
    assert wrapped("a + bb + ccc + dddd", 12, 2) == ("a + bb +", "ccc + dddd")
    assert wrapped("a + b", 12, 2) == ("a + b",)
    assert wrapped("a" * 40, 12, 3) == ()


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - DRAWN_NOT))
def test_every_function_can_be_drawn(name: str):
    """A function that is added to the language is drawn without a row here."""
    function = FUNCTIONS[name]
    arguments = {
        "concat": "a, a",
        "split": "a",
        "repeat": "s, 2",
        "clip": "a, -1, 1",
        "where": "a > 0, a, h",
    }
    values = ", ".join(["a", "h", "h"][: int(function.values[0])])
    call = f"{name}({arguments.get(name, values)})"
    equation = {
        "split": f"p, q = {call}\nr = concat(p, q)",
        "concat": f"r = V @ {call}",
        "transpose": "r = transpose(U) @ a",
        "repeat": "s = sum(a, 2)\nr = repeat(s, hidden_size / 2)",
    }.get(name, f"r = {call}")
    text = (
        "# A cell.\ninput x [input_size]\nstate h [hidden_size]\n"
        "weight W [hidden_size, input_size]\n"
        f"{'weight V [hidden_size, 2 * hidden_size]' * (name == 'concat')}\n"
        f"{'weight U [hidden_size, hidden_size]' * (name == 'transpose')}\n"
        f"output h'\na = W @ x\n{equation}\nh' = h + r\n"
    )
    found = wiring(find(text))
    places = {n: place for place, part in enumerate(found.parts) for n in part.names}
    notes = " ".join(part.note for part in found.parts)

    assert any(wire.target == places["r"] for wire in found.wires)
    assert name in notes


def test_functions_without_a_box_are_functions():
    """The list names nothing that the language has not."""
    assert set(NO_BOX) <= FUNCTIONS.keys()


def test_formulas_in_boxes_are_short():
    """No line of a box in the library is longer than a reader takes in at once."""
    for name in names():
        for part in wiring(load(name)).parts:
            assert all(len(line) <= 36 for line in part.lines), (name, part)
