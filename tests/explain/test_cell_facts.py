"""Tests of `cellwright.explain.cell_facts`."""

import json

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.cell_facts import facts_of_cell, output_name


@pytest.mark.parametrize("name", names())
def test_facts_are_plain_data(name: str):
    """Everything goes through JSON and comes back the same."""
    found = facts_of_cell(load(name))

    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_facts_name_origins():
    """Each statement says which file it stands in, each base is listed."""
    found = facts_of_cell(load("cifg"))

    assert found["bases"] == ["peephole_lstm", "lstm"]
    origins = {row["names"][0]: row["from"] for row in found["equations"]}
    assert origins == {
        "i": "peephole_lstm",
        "f": "cifg",
        "g": "lstm",
        "o": "peephole_lstm",
        "c'": "lstm",
        "h'": "lstm",
    }


def test_output_is_the_last_one_written():
    """A child's output replaces its base's."""
    assert output_name(load("lstm")) == "h'"
    assert output_name(find("extends lstm\noutput c'\nf = 1\n")) == "c'"
