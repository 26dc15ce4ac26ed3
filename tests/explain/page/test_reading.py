"""What a reader does with a page, by keyboard, pointer and eye."""

import re
from typing import Any

import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor, nn

import cellwright as cw
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
    shown = page.locator("p.text span").evaluate_all(
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


def test_a_reader_gets_to_one_unit_by_pointer(speller: Page):
    """From the heat map, the wiring, the list of values, and the text."""
    speller.locator(".maps .frame").nth(2).click(position={"x": 5, "y": 3})
    assert at(speller) | {"t": 0, "unit": 0, "name": "z"} == at(speller)
    speller.locator("#cell [data-name=n]").first.click()
    assert at(speller)["name"] == "n"
    speller.locator("#cell .value").first.get_by_role("button").click()
    assert at(speller)["name"] == "r"
    speller.locator(".text span").nth(4).click()
    assert at(speller)["t"] == 4
    assert speller.locator(".text .now").count() == 1
    assert "step 4 of" in speller.locator("#said").inner_text()


def test_a_layer_is_opened_from_the_strip(speller: Page):
    """One without states shows its facts alone; coming back finds the place again."""
    speller.keyboard.press("End")
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
    assert speller.locator("p.text").inner_text() == TEXT


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
