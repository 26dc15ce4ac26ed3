"""Tests of benchmarks/page.py: README and docs say what was measured."""

from __future__ import annotations

import json
import re

import page
import scan_page
from cellwright.bench.registry import OWN
from made_up_results import results


def test_table_of_the_readme_has_a_line_for_each_shape():
    """The table that is there is replaced by one of the same form."""
    readme = page.README.read_text(encoding="utf-8")
    table = page.headline(results(["mine"]))
    changed, count = page.HEADLINE.subn(lambda _: table, readme)

    assert count == 1
    assert len(table.splitlines()) == 2 + len(OWN)
    assert page.HEADLINE.search(changed)[0] == table  # pyright: ignore[reportOptionalSubscript]


def test_page_has_all_sections():
    """What the docs had of speed they have anew: tables, lengths, scan, first call."""
    text = page.page(results())
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)

    assert heads == [
        "Means and worst points",
        "What is asked",
        "How far it could go",
        "AVX-512 in two halves",
        "Without AVX-512",
        "What was tried",
        "Forward",
        "Forward and backward",
        "Growth",
        "A step of a stream",
        "Sequences of different lengths",
        "On a busy machine",
        "A scan over time, and why there is none",
        "The first call",
    ]
    assert "\n".join(scan_page.section(scan_page.results())) in text
    assert "with `lengths=`" in text


def test_pages_are_made_from_the_committed_results():
    """docs/performance.md and the README's table are written by benchmarks/page.py.

    As long as there are no results, the page says that its tables are old.
    """
    if not page.RESULTS.exists():
        assert "await a whole run" in page.PAGE.read_text(encoding="utf-8")
        return
    found = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    table = page.HEADLINE.search(page.README.read_text(encoding="utf-8"))

    assert page.PAGE.read_text(encoding="utf-8") == page.page(found)
    assert table is not None
    assert table[0] == page.headline(found)
