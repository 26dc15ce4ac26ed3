"""Tests of the SVG: one file that anything shows, the same bytes each time."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cellwright.cells import find, load, names
from cellwright.explain import cell_figure
from cellwright.explain.figures.arrange import arranged
from cellwright.explain.figures.reading import wiring

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
READABLE = 4.5
"""The least contrast of text with what is behind it (WCAG 2.1, level AA)."""


@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_a_picture_is_the_golden_one(golden, name: str):
    """What is written is what a person has looked at."""
    golden(GOLDEN / f"{name}.svg", cell_figure(load(name)))


@pytest.mark.parametrize("name", names())
def test_a_picture_stands_alone(name: str):
    """It is sound XML without scripts, links or fonts, and its text is text."""
    text = cell_figure(load(name))
    root = ET.fromstring(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    said = [element.text for element in root.iter(f"{SVG}text")]
    scene = arranged(wiring(load(name)))

    drawn = {"g", "rect", "circle", "path", "polygon", "text"}
    assert tags <= {"svg", "title", "desc", "style", *drawn}
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    expected = [t.text for s in scene.shapes for t in (*s.texts, *s.beside)]
    assert sorted(filter(None, said)) == sorted(expected)


def test_a_picture_says_what_it_is():
    """Its name and what it shows are there for those who cannot see it."""
    root = ET.fromstring(cell_figure(load("gru")))
    title, description = root[0].text or "", root[1].text or ""

    assert title.startswith("gru: Gated recurrent unit")
    assert root.get("aria-label") == title
    assert root.get("role") == "img"
    assert "r, z, n" in description


def test_notes_have_the_equations_and_the_descriptions():
    """The pointer on a gate shows its whole formula and what the file says of it."""
    root = ET.fromstring(cell_figure(load("lstm")))
    notes = {e.text for e in root.iter(f"{SVG}title")}

    assert (
        "i = sigmoid(W_i @ x + U_i @ h + b_i)\n"
        "input gate: how much of the candidate to write"
    ) in notes


def test_signs_of_xml_in_a_cell_are_text():
    """A title or a comment with <, & or quotes breaks nothing."""
    text = (
        "# A <cell> & \"its\" 'title'.\ninput x [hidden_size]\nstate h [hidden_size]\n"
        "size input_size = hidden_size\noutput h'\n"
        'h\' = where(x < h, x, h)   # <b> & "c"\n'
    )
    root = ET.fromstring(cell_figure(find(text)))
    assert "<cell> & \"its\" 'title'" in (root[0].text or "")


def test_the_bytes_are_the_same_in_another_process():
    """No hash, no address and no clock is in a picture."""
    code = (
        "import sys; from cellwright.cells import load; "
        "from cellwright.explain import cell_figure; "
        "sys.stdout.buffer.write(cell_figure(load('phased_lstm')).encode())"
    )
    there = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": ":".join(filter(None, sys.path)),
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert there == [cell_figure(load("phased_lstm")).encode()] * 2


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_what_is_behind_it(dark: bool):
    """In the light and in the dark colours each text has enough contrast."""
    style = re.search("<style>(.*)</style>", cell_figure(load("lstm")))
    assert style is not None
    light, _, night = style[1].partition("@media screen")
    rules = night if dark else light
    page = "#16191d" if dark else "#ffffff"
    ink, soft = (_colour(rules, f"\\.{name}") for name in ("ink", "soft"))
    fills = re.findall(r"\.(\w+) \.shape\{fill:(#\w+);stroke:(#\w+)", rules)

    assert {"gate", "squash", "norm", "spike"} <= {name for name, *_ in fills}
    assert _contrast(soft, page) >= READABLE
    for name, fill, stroke in fills:
        assert _contrast(ink, fill) >= READABLE, name
        assert _contrast(stroke, page) >= 3, name  # WCAG's least for what is no text


def _colour(rules: str, selector: str) -> str:
    found = re.search(rf"{selector}\{{fill:(#\w+)", rules)
    assert found is not None
    return found[1]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
