"""What the page of memory says was measured."""

import json
from typing import Any

import pytest

from recompute import DOCS, MIB, RESULTS, TABLE, with_table


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Return the committed study."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_the_study_s(found):
    """The table of docs/memory.md is written from the JSON, and not by hand."""
    docs = DOCS.read_text(encoding="utf-8")
    table = TABLE.search(docs)

    assert table is not None
    assert len(table[0].splitlines()) == 2 + len(found["rows"])
    assert with_table(docs, found) == docs
    assert f"(torch {found['machine']['torch']})" in docs


def test_what_is_kept_is_what_the_formula_says(found):
    """Of an LSTM: 5 H a step by store, 2 H a segment of 128 steps by recompute."""
    entries = 4 * found["batch"] * found["width"]
    for row in found["rows"]:
        if row["cell"] == "lstm":
            steps = row["steps"]
            kept = {mode: row[mode]["kept"] for mode in ("store", "recompute")}
            firsts = 2 * entries
            inner = -(-steps // 128) - 1
            assert 0 <= kept["store"] - 5 * steps * entries <= firsts
            assert 0 <= kept["recompute"] - 2 * inner * entries <= firsts


def test_memory_is_saved(found):
    """Of what is kept nearly all, and of the peak more than half of that."""
    for row in found["rows"]:
        stored, anew = row["store"], row["recompute"]
        assert anew["kept"] < stored["kept"] / 50
        assert stored["peak"] - anew["peak"] > stored["kept"] / 2 > MIB
