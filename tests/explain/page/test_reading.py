"""What a reader does with a page, by keyboard, pointer and eye."""

import ast
import operator
import re
from math import tanh
from typing import Any

import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor, nn

import cellwright as cw
from cellwright.nn import Recurrent
from cellwright.tolerances import TOLERANCES, error
from page_runs import SHOWN, Open, explained


class Speller(nn.Module):
    """Characters in, one of four classes out."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 5)
        self.rnn = nn.GRU(5, 7, batch_first=True)
        self.head = nn.Linear(7, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """Classify a text by its last state."""
        return self.head(self.rnn(self.table(tokens))[0][:, -1])


TEXT = "</script><b>all & any</b>"


@pytest.fixture
def speller(opened: Open) -> Page:
    """Return the page of a network on a text."""
    torch.manual_seed(8)
    tokens = torch.tensor([[ord(letter) % 30 for letter in TEXT]])
    return opened(explained(Speller(), tokens, labels=list(TEXT), words=TEXT))


def test_the_text_has_the_colours_of_a_unit(opened: Open):
    """Of the value and the unit that are looked at; the number is said, too."""
    torch.manual_seed(8)
    tokens = torch.tensor([[ord(letter) % 30 for letter in TEXT]])
    found = explained(Speller(), tokens, labels=list(TEXT))
    assert found.traces is not None
    page = opened(found)
    page.evaluate("cellwright.go({ name: 'n', unit: 6 })")
    shown = page.locator("div.text span").evaluate_all(
        "(spans) => spans.map((span) => [span.title, span.style.background])"
    )
    values = found.traces["rnn"]["n_l0"][:, 0, 6].tolist()
    for (title, colour), value in zip(shown, values, strict=True):
        assert abs(float(title.replace("−", "-")) - value) <= 5e-4 * abs(value)
        red, _, blue = map(int, re.findall(r"\d+", colour))
        assert (blue > red) == (value > 0)


def at(page: Page) -> dict[str, Any]:
    """Return what is looked at."""
    return page.evaluate("cellwright.at")


def test_a_reader_gets_to_one_unit_by_keyboard(speller: Page):
    """Steps, units and values; in a field for numbers the keys are the field's."""
    assert at(speller)["t"] == 0
    speller.keyboard.press("ArrowDown")
    assert at(speller)["unit"] == 0, "keys that scroll a page scroll it"
    speller.locator(".stack").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "]"):
        speller.keyboard.press(key)
    assert at(speller) | {"t": 1, "unit": 1, "name": "z"} == at(speller)
    speller.keyboard.press("End")
    assert at(speller)["t"] == len(TEXT) - 1
    speller.keyboard.press("ArrowRight")
    assert at(speller)["t"] == len(TEXT) - 1
    speller.locator("#unit-number").fill("5")
    speller.keyboard.press("Home")
    speller.keyboard.press("Enter")
    assert at(speller)["unit"] == 5
    assert at(speller)["t"] == len(TEXT) - 1


def test_a_control_keeps_the_focus(speller: Page):
    """What a key changes is built anew, and the next key goes to the same control."""
    field = speller.locator("#unit-number")
    field.fill("2")
    for unit in (2, 3, 4):
        field.press("Enter")
        assert at(speller)["unit"] == unit
        assert speller.evaluate("document.activeElement.id") == "unit-number"
        speller.keyboard.press("ArrowUp")
    for words, unit in (("99", 6), ("77", 6), ("2.5", 2), ("-3", 0)):
        field.fill(words)
        field.press("Enter")
        assert at(speller)["unit"] == unit
        assert field.input_value() == str(unit)
    for name in ("value-name", "moved-entry"):
        speller.locator(f"#{name}").focus()
        speller.keyboard.press("ArrowDown")
        assert speller.evaluate("document.activeElement.id") == name


def test_what_is_half_typed_stays(speller: Page):
    """Whatever moves meanwhile leaves the field alone until its reader is done."""
    field = speller.locator("#unit-number")
    field.fill("5")
    speller.evaluate("cellwright.go({ t: 2 })")
    speller.evaluate(
        "new Promise((done) => "
        "requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert field.input_value() == "5"
    field.press("Enter")
    assert at(speller) | {"t": 2, "unit": 5} == at(speller)
    field.fill("")
    field.blur()
    assert field.input_value() == "0"


def test_a_reader_gets_to_one_unit_by_pointer(speller: Page):
    """From the heat map, the wiring, the list of values, and the text."""
    speller.locator(".maps .plot").nth(2).click(position={"x": 5, "y": 3})
    assert at(speller) | {"t": 0, "unit": 0, "name": "z"} == at(speller)
    speller.locator("#cell [data-name=n]").first.click()
    assert at(speller)["name"] == "n"
    speller.locator("#cell .value").first.get_by_role("button").click()
    assert at(speller)["name"] == "r"
    speller.locator(".text span").nth(4).click()
    assert at(speller)["t"] == 4
    assert speller.locator(".text .now").count() == 1
    assert "step 5 of" in speller.locator("#said").inner_text()


def test_a_layer_is_opened_from_the_strip(speller: Page):
    """One without states shows its facts alone; coming back finds the place again."""
    speller.locator("#step").press("End")
    speller.get_by_role("button", name="Linear").click()
    assert not speller.locator("#through-time").is_visible()
    assert "4×7 weights + 4 biases = 32" in speller.locator("#facts").inner_text()
    speller.get_by_role("button", name="GRU").click()
    assert speller.locator("#through-time").is_visible()
    assert at(speller)["t"] == len(TEXT) - 1


def test_words_of_the_user_stay_words(speller: Page):
    """A text that looks like a page's own code is shown as it is."""
    assert speller.title() == TEXT
    assert speller.locator("h1").inner_text() == TEXT
    assert speller.locator("div.text").inner_text() == TEXT


def test_another_input_is_computed_anew(opened: Open):
    """The opened step alone, and as the layer itself would."""
    torch.manual_seed(9)
    layer = nn.LSTM(3, 5)
    x = torch.randn(6, 1, 3)
    page = opened(explained(layer, x))
    page.evaluate('cellwright.go({ t: 5, name: "h\'", unit: 2 })')
    before = page.evaluate(SHOWN)["value"]
    page.locator("#moved").evaluate(
        "(slider) => { slider.value = 1.25; slider.dispatchEvent(new Event('input')); }"
    )
    after = page.evaluate(SHOWN)["value"]

    moved = x.clone()
    moved[5, 0, 0] = page.evaluate("cellwright.changes.get(0)")
    bound = TOLERANCES["page", "float32"].bound
    for given, shown in ((x, before), (moved, after)):
        expected = layer(given)[0][5, 0, 2].detach().double()
        assert error(torch.tensor(float(shown)).double(), expected) <= bound
    assert before != after
    page.get_by_role("button", name="as it was").click()
    assert page.evaluate(SHOWN)["value"] == before


def test_a_network_that_cannot_be_traced_says_why(opened: Open):
    """Its facts are shown all the same."""
    found = cw.explain(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.randn(4, 3))
    page = opened(found)
    assert (
        "none; there are modules of Sequential" in page.locator(".missing").inner_text()
    )
    assert "2×3 weights + 2 biases = 8" in page.locator("#facts").inner_text()


def test_the_horizon_is_the_measured_one(opened: Open):
    """Of the layer and direction that is looked at."""
    torch.manual_seed(10)
    found = explained(nn.GRU(3, 5, 2), torch.randn(12, 1, 3))
    assert found.horizon is not None
    page = opened(found)
    page.evaluate("cellwright.go({ run: 1 })")
    reach = found.horizon["GRU.h_l1"].reach
    said = page.locator("#horizon figcaption").inner_text()
    assert re.match(rf"h_l1 reaches {reach} steps back", said)


def test_a_page_of_a_large_network_stays_small():
    """Four layers of 300 units and 500 steps: at most 15 MB."""
    torch.manual_seed(11)
    found = explained(nn.LSTM(300, 300, 4), torch.randn(500, 1, 300))
    assert len(found.html().encode()) <= 15_000_000


def test_a_page_is_readable_when_narrow(speller: Page):
    """Nothing is wider than a telephone's screen but drawings, which scroll."""
    speller.set_viewport_size({"width": 400, "height": 800})
    wide = speller.evaluate("document.documentElement.scrollWidth")
    assert wide <= 400


POWERS = """
input x [input_size]
state h, s [hidden_size]
weight W [hidden_size, input_size]
output h'
a  = (-h) ** 2 + (s ** 2) ** 1.5
b  = a - (W @ x - s) - (-h) * (-2)
s' = 0.5 * x_of + b * (W @ x) / (1 + abs(a))
x_of = W @ x + h
h' = tanh(b)
""".replace("x_of", "u")


def test_a_formula_reads_as_what_it_is(opened: Open):
    """Worked out by Python's rules, with its numbers in, it is the value."""
    torch.manual_seed(12)
    own = {"backend": "reference", "dtype": torch.float64}
    lines = POWERS.strip().splitlines()
    lines[6], lines[7] = lines[7], lines[6]
    layer = Recurrent("\n".join(lines) + "\n", 2, 3, **own)
    page = opened(explained(layer, torch.randn(6, 1, 2, dtype=torch.float64)))
    for name in ("a", "b", "u", "s'", "h'"):
        page.evaluate("(name) => cellwright.go({ name, unit: 1, t: 4 })", name)
        shown, value = page.evaluate(FORMULA)
        text = shown.partition(" = ")[2].rpartition(" = ")[0]
        for sign, python in (("−", "-"), ("×", "*"), ("÷", "/"), ("^", "**")):
            text = text.replace(sign, python)
        found = worked_out(ast.parse(text, mode="eval").body)
        assert abs(found - float(value)) <= 1e-12 * max(1, abs(found)), text


FORMULA = """async () => {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  const line = document.querySelector("#unit .working").cloneNode(true);
  const value = [...line.querySelectorAll(".digits")].at(-1).title;
  for (const digits of line.querySelectorAll(".digits")) {
    // Of a name, or of a sum of products, the number alone.
    const whole = digits.parentElement === line ? digits : digits.parentElement;
    whole.replaceWith(`(${digits.title})`.replace("-", "−"));
  }
  return [line.textContent, value];
}"""
WORKS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def worked_out(tree: ast.expr) -> float:
    """Return what an expression of numbers is, by Python's precedence."""
    match tree:
        case ast.Constant(value=float() | int() as number):
            return number
        case ast.UnaryOp(op=ast.USub()):
            return -worked_out(tree.operand)
        case ast.BinOp():
            return WORKS[type(tree.op)](worked_out(tree.left), worked_out(tree.right))
        case ast.Call(func=ast.Name(id=name)):
            return {"tanh": tanh, "abs": abs}[name](worked_out(tree.args[0]))
        case _:
            raise AssertionError(ast.dump(tree))


def test_names_are_those_of_the_file(opened: Open):
    """Not those under which a value is kept, and a state has no value's name."""
    cell = (
        "input x [input_size]\nstate h, s, g [hidden_size]\n"
        "size input_size = hidden_size\nweight W, U [hidden_size, hidden_size]\n"
        "output h'\na = W @ x + U @ h + s * g\nh' = tanh(a)\ns' = x\ng' = h\n"
    )
    lines = cell.splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    lines[0], lines[1] = lines[1], lines[0]
    layer = Recurrent("\n".join(lines) + "\n", 3, 3, backend="reference")
    page = opened(explained(layer, torch.randn(5, 1, 3)))
    page.evaluate("cellwright.go({ name: 'a', t: 3 })")
    shown = page.evaluate(FORMULA_TEXT)
    assert "W·x" in shown
    assert "U·hₜ₋₁" in shown
    assert "'" not in shown


FORMULA_TEXT = """async () => {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  return document.querySelector("#unit .working").textContent;
}"""


def test_a_backward_direction_reads_the_next_step_first(opened: Open):
    """Its state comes from the place behind."""
    page = opened(explained(nn.GRU(2, 3, bidirectional=True), torch.randn(5, 1, 2)))
    for run, mark in ((0, "ₜ₋₁"), (1, "ₜ₊₁")):
        page.evaluate("(run) => cellwright.go({ run, t: 2 })", run)
        assert f"U_r·h{mark}" in page.evaluate(FORMULA_TEXT)


def test_padding_has_no_formula(opened: Open):
    """A row that has ended says so; where it goes on its formula is the cell's."""
    x = nn.utils.rnn.pack_padded_sequence(torch.randn(6, 2, 3), [6, 2])
    page = opened(explained(nn.GRU(3, 4), x))
    page.evaluate('cellwright.go({ row: 1, t: 1, name: "h\'" })')
    there = page.evaluate(FORMULA_TEXT)
    assert "_keep" not in there
    assert "z[0]" in there
    page.evaluate("cellwright.go({ t: 4 })")
    assert "does not happen" in page.evaluate(FORMULA_TEXT)


def test_a_module_with_weights_of_its_own_is_no_layer_over_time(opened: Open):
    """The recurrent layer inside of it is."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(self.scale * x)[0]

    page = opened(explained(Scaled(), torch.randn(5, 1, 3)))
    calls = page.evaluate("cellwright.told.layers.map((layer) => layer.calls.length)")
    kinds = page.evaluate("cellwright.told.layers.map((layer) => layer.kind)")
    assert dict(zip(kinds, calls, strict=True)) == {"Scaled": 0, "GRU": 1}
