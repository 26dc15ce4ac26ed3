"""Tests of what a run leaves: lines for a terminal, a page, pictures, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellwright.bench import folder
from cellwright.bench.plots import line_of, pictures
from cellwright.bench.report import report
from cellwright.bench.summary import groups, time_words
from cellwright.bench.text import lines
from made_up_results import results

GOLDEN = Path(__file__).parent / "golden"
CASES = ["lstm", "peephole_lstm", "cifg", "lengths", "stream_lstm", "first_use"]


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_are_the_golden_ones(golden, columns: int):
    """What a terminal shows is what a person has looked at, and no line is too long."""
    shown = list(lines(results(CASES, quick=True), columns))

    assert max(map(len, shown)) <= columns
    golden(GOLDEN / f"lines-{columns}.txt", "\n".join([*shown, ""]))


def test_page_is_the_golden_one(golden):
    """The page has the rules, the means and every row."""
    golden(GOLDEN / "report.md", report(results(CASES, quick=True), ["lstm.png"]))


def test_page_has_every_row_of_a_whole_run():
    """Nothing that was measured is left out."""
    found = results()
    rows = [x for x in report(found).splitlines() if x.endswith("1% |")]

    assert len(rows) == len(found["rows"])


def test_cases_with_peers_and_an_axis_have_pictures():
    """Pictures are PNGs; a case of one shape, or beside our LSTM alone, has none."""
    drawn = pictures(results(CASES)["rows"])

    assert drawn.keys() == {"lstm.png", "peephole_lstm.png", "stream_lstm.png"}
    assert all(png.startswith(b"\x89PNG") for png in drawn.values())


def test_a_line_varies_in_one_axis_alone():
    """All units at a number of rows, all steps at a width, all rows at a width."""
    group = next(g for g in groups(results(["lstm"])["rows"]))
    by_units, by_rows, by_steps = (line_of(group.rows, axis) for axis in "HBT")

    assert [row["H"] for row in by_units] == [32, 64, 128, 256, 512]
    assert {(row["B"], row["T"]) for row in by_units} == {(16, 100)}
    assert all(row["I"] == row["H"] for row in by_units)
    assert [row["B"] for row in by_rows] == [1, 16, 64]
    assert len({(row["H"], row["I"], row["T"]) for row in by_rows}) == 1
    assert [row["T"] for row in by_steps] == [1, 10, 100, 1000]
    assert {(row["B"], row["H"]) for row in by_steps} == {(16, 64)}


def test_folder_has_numbers_page_and_pictures(tmp_path: Path):
    """The numbers are the results; a second run replaces the files."""
    found = results(["elman"], quick=True)
    names: list[str] = []
    for _ in range(2):
        names = folder.write(found, tmp_path / "out")

        assert sorted(names) == sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["results.json", "results.md", "elman.png"]
    text = (tmp_path / "out/results.json").read_text(encoding="utf-8")
    assert json.loads(text) == found


def test_nothing_measured_is_still_a_page():
    """A run whose rows are all wrong has a page and no picture."""
    found = results(["elman"], quick=True)
    for row in found["rows"]:
        row.update(seconds={}, work={}, error="output: off by 1")

    assert "off by 1" in report(found, pictures(found["rows"]))
    assert pictures(found["rows"]) == {}
    assert any("no figure" in line for line in lines(found, 80))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.9999, "1.00 s"),
        (0.99951e-3, "1.00 ms"),
        (2.7e-6, "2.70 µs"),
        (1.02e-7, "102 ns"),
        (0.1534, "153 ms"),
        (75.0, "75.0 s"),
    ],
)
def test_times_have_three_digits_and_a_unit(seconds: float, said: str):
    """A time is read without counting zeros."""
    assert time_words(seconds) == said
