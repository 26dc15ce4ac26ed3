"""A trace shows itself: one coloured cell for a unit at a step."""

import re
from html import unescape

import torch
from rich.text import Text
from torch import nn

import cellwright as cw
from cellwright.explain.inside.heat import COLOURS, UNKNOWN, heat_maps


def colours(line: Text) -> list[str]:
    """Return the colour of each cell of a line, two of the margin left out."""
    found: list[str] = []
    for span in line.spans:
        found += [str(span.style).removeprefix("on ")] * (span.end - span.start)
    assert len(found) == len(line.plain) - 2
    return found


def test_cells_have_the_colours_of_their_values():
    """0 in the middle, the ends at 1 and -1 or at the largest value beyond."""
    values = torch.tensor([[-1.0, 0.0], [0.5, 1.0], [float("nan"), -0.5]])
    head, one, other = heat_maps({"i": values[:, None]})
    assert head.plain == "i  2 units, 3 steps, from -1 to 1"
    assert colours(one) == [COLOURS[0], COLOURS[6], UNKNOWN]
    assert colours(other) == [COLOURS[4], COLOURS[8], COLOURS[2]]
    _, wide, _ = heat_maps({"c": 4 * values[:, None]})
    assert colours(wide) == colours(one)


def test_scalars_have_one_line():
    """A state without units is one row."""
    head, line = heat_maps({"t": torch.tensor([[0.25], [0.0]])})
    assert head.plain == "t  1 unit, 2 steps, from 0 to 0.25"
    assert colours(line) == [COLOURS[5], COLOURS[4]]


def test_a_notebook_shows_what_a_terminal_does():
    """Names, ranges and as many cells as units and steps are shown."""
    torch.manual_seed(0)
    traces = cw.trace(nn.GRU(2, 20), torch.randn(70, 3, 2))
    html = traces._repr_html_()
    words = unescape(re.sub("<[^>]*>", "", html))
    assert words.startswith(repr(traces).splitlines()[0])
    assert "r_l0  16 of 20 units, 60 of 70 steps, from " in words
    # A space of every cell, below the four values' own lines.
    cells = sum(
        len(part)
        for style, part in re.findall(r'<span style="([^"]*)">( +)</span>', html)
        if "background-color" in style
    )
    assert cells == 16 * 60 * len(traces.only)
