"""Tests of `cellwright.explain.counts`."""

from typing import Any

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.counts import (
    SizeError,
    count_at,
    formula,
    legend,
    parameter_count,
)
from cellwright.ir.sizes import Size
from cellwright.nn import Recurrent

H, X = Size.named("hidden_size"), Size.named("input_size")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (4 * H * X + 4 * H * H + 4 * H, "4HI + 4H² + 4H"),
        (Size.number(0), "0"),
        (Size.number(7), "7"),
        (H * H * H - H, "H³ − H"),
        (-1 * H + 1, "−H + 1"),
        (4 * H * H / Size.named("heads"), "4H²/heads"),
        (H / 2, "H/2"),
        (3 * H / 2, "3H/2"),
        (H * Size.named("proj_size"), "H·proj_size"),
        (2 * Size.named("a_size") * Size.named("b_size"), "2·a_size·b_size"),
        (Size.named("a_size"), "a_size"),
        (H * Size.named("H"), "H·hidden_size"),
    ],
)
def test_formula_is_written_as_people_write_it(size: Size, text: str):
    """Letters stand together, names apart, exponents above, divisors behind."""
    assert formula(size) == text


def test_legend_names_each_letter_once():
    """The legend explains the letters of all formulas, and no name."""
    assert legend([H * X, H, Size.named("heads")]) == "H = hidden_size, I = input_size"


@pytest.mark.parametrize("name", names())
def test_count_is_that_of_the_layer(name: str):
    """The polynomial, at given sizes, is the number of the layer's parameters."""
    cell = load(name)
    derived = {size.name: size.derived for size in cell.graph.sizes}
    sizes: dict[str, Any] = {"hidden_size": 12, "input_size": 5}
    expected = derived.get("input_size")
    if expected is not None:
        sizes["input_size"] = expected.evaluate(sizes)
    given: dict[str, Any] = {
        size.name: 3
        for size in cell.graph.sizes
        if size.derived is None and size.default is None
    }
    layer = Recurrent(cell, **sizes, **given)

    counted = sum(p.numel() for p in layer.parameters())
    assert count_at(cell.graph, {**sizes, **given}) == counted


def test_count_follows_the_depth():
    """A cell with a deeper for block has more parameters."""
    rhn = load("rhn")
    deep = rhn.specialise(counts={"depth": 5})

    assert formula(parameter_count(deep)) == "3HI + 15H² + 15H"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 8}, "slstm needs input_size for a number"),
        ({"hidden_size": 6, "input_size": 1}, "hidden_size/heads is not a whole"),
        ({"hiden_size": 8}, "no size 'hiden_size'; did you mean 'hidden_size'?"),
        ({"hidden_size": 0, "input_size": 1}, "hidden_size is 1 or more; found 0"),
    ],
)
def test_sizes_that_do_not_fit_are_named(sizes: dict[str, int], message: str):
    """A missing, a wrong and an unknown size each say so."""
    with pytest.raises(SizeError, match=message.replace("?", r"\?")):
        count_at(load("slstm").graph, sizes)


def test_derived_input_size_is_computed_and_checked():
    """Where the cell fixes input_size, it need not be given, and may not differ."""
    cell = find(
        "size input_size = 3 * hidden_size\ninput x [input_size]\n"
        "state c [hidden_size]\nweight w [input_size]\noutput c'\n"
        "a, b, d = split(w * x)\nc' = a * c + b * d\n"
    )

    assert count_at(cell.graph, {"hidden_size": 2}) == 6
    with pytest.raises(SizeError, match=r"input_size = 3\*hidden_size = 6, got 5"):
        count_at(cell.graph, {"hidden_size": 2, "input_size": 5})
