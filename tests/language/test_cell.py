"""The published cells, and what a cell tells about itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import cell_texts
from cell_texts import NAMES, no_base
from cellwright.cells import load
from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph
from cellwright.ir.sizes import ZERO, Size
from cellwright.ir.text import parse_graph, print_graph
from cellwright.language.cell import read_cell
from cellwright.language.report import CellError, Source

HERE = Path(__file__).parent


def parameter_count(graph: Graph) -> Size:
    """Return the number of learned numbers."""
    total = ZERO
    for parameter in graph.parameters:
        product = Size.number(1)
        for size in parameter.shape:
            product *= size
        total += product
    return total


def facts(name: str) -> str:
    """Return one cell's row of the table."""
    cell = load(name)
    graph = cell.graph
    shape = ", ".join(map(str, graph.output_shape)) or "scalar"
    rows = [
        f"{name} ({cell.year})",
        f"  states      {', '.join(s.name for s in graph.states)}",
        f"  inputs      {', '.join(i.name for i in graph.inputs)}",
        f"  parameters  {', '.join(p.name for p in graph.parameters)}",
        f"  count       {parameter_count(graph)}",
        f"  output      {shape}",
    ]
    if graph.constants:
        rows.append(f"  constants   {', '.join(c.name for c in graph.constants)}")
    if graph.whole:
        rows.append(f"  whole       {', '.join(map(str, graph.whole))}")
    return "\n".join(rows)


def test_facts_of_cells(golden: Callable[[Path, str], None]) -> None:
    """States, parameters, counts and output shape of every cell are what they were."""
    golden(HERE / "cells.txt", "\n".join(map(facts, NAMES)) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_graph_text_round_trips(name: str) -> None:
    """The graph of every cell survives being printed and read, without biases too."""
    for graph in (load(name).graph, load(name).specialise(bias=False)):
        assert parse_graph(print_graph(graph)) == graph


@pytest.mark.parametrize("name", NAMES)
def test_bias_false_leaves_no_bias(name: str) -> None:
    """Rule 15: bias=False drops every bias, and nothing but biases."""
    cell = load(name)
    bare = cell.specialise(bias=False)
    weights = [p.name for p in cell.graph.parameters if p.role == "weight"]
    assert [p.name for p in bare.parameters] == weights


@pytest.mark.parametrize("name", NAMES)
def test_cell_pickles(name: str) -> None:
    """A cell survives pickling as an equal cell with an equal graph."""
    cell = load(name)
    copy = pickle.loads(pickle.dumps(cell))  # noqa: S301
    assert copy == cell
    assert copy.graph == cell.graph


@pytest.mark.parametrize(
    ("bare", "year"),
    [
        ("# A. arXiv:2010.01234", None),
        ("# A. 1997.", 1997),
        ("# A.\n# B, 2014. doi:10.1/2020", 2014),
    ],
)
def test_year_is_not_read_from_identifiers(bare: str, year: int | None) -> None:
    """Rule 16: the year is that of the reference, not a part of a DOI."""
    text = f"{bare}\n{cell_texts.HEAD}h' = tanh({cell_texts.STEP})\n"
    cell = read_cell(Source("a", text, "a"), no_base)
    assert cell.year == year
    assert cell.title == bare.split("\n")[0].removeprefix("# ")


def test_counts_change_the_graph() -> None:
    """Rule 13: a count is an argument that changes the graph."""
    graph = load("rhn").specialise(counts={"depth": 2})
    assert graph.counts == (("depth", 2),)
    assert "R_n_2" in {p.name for p in graph.parameters}
    assert "R_n_3" not in {p.name for p in graph.parameters}


@pytest.mark.parametrize("value", [0, -1, 1001, 2.0, True, "2", 10**30])
def test_counts_out_of_range_are_refused(value: object) -> None:
    """A count is a whole number from 1 to 1,000, and nothing else gets through."""
    with pytest.raises(CellwrightValueError, match="depth is"):
        load("rhn").specialise(counts={"depth": value})


def test_unknown_count_is_refused() -> None:
    """A count that the cell has not is named, with the likely one."""
    with pytest.raises(CellwrightValueError, match="did you mean 'depth'"):
        load("rhn").specialise(counts={"dept": 2})


def test_large_count_of_a_large_block_is_refused() -> None:
    """A count that would unroll to more than a million characters is an error."""
    terms = " + ".join(["W @ x"] * 80)
    parts = [f"    n{i} = {terms}" for i in range(3)]
    block = ["for l in 1..depth:", *parts, "    s' = tanh(U @ s + b + n0 + n1 + n2)"]
    text = "\n".join(["count depth = 2", cell_texts.HEAD, "s = h", *block, "h' = s'"])
    cell = read_cell(Source("a", text, "a"), no_base)
    with pytest.raises(CellError, match="1,000 micro-steps"):
        cell.specialise(counts={"depth": 1000})


def test_bases_are_at_most_ten() -> None:
    """Rule 18: ten bases are read, an eleventh is an error, and a circle too."""

    def resolve(name: str, _: Source) -> Source | None:
        number = int(name[1:])
        base = f"extends  c{number - 1}\n" if number else load("lstm").text
        return Source(name, base, name)

    assert read_cell(Source("c10", "extends  c9\n", "c10"), resolve).graph.states
    with pytest.raises(CellError, match="more than 10 bases"):
        read_cell(Source("c11", "extends  c10\n", "c11"), resolve)


@pytest.mark.parametrize("name", NAMES)
def test_flat_text_is_the_same_cell(name: str) -> None:
    """The flat text has no base and reads as an equal graph, without biases too."""
    cell = load(name)
    flat = read_cell(Source(name, cell.flat_text, "flat"), no_base)
    assert flat.graph == cell.graph
    assert flat.specialise(bias=False) == cell.specialise(bias=False)
    assert flat.flat_text == cell.flat_text
    assert flat.title == cell.title
