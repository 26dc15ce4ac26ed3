"""What README and pages say of speed is what was measured."""

import json
import re

import pytest

from performance import (
    HEADLINE,
    HERE,
    PAGE,
    README,
    RESULTS,
    headline,
    page,
)


@pytest.fixture(scope="module")
def results() -> dict[str, object]:
    """Return the committed measurements."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_the_study_s(results):
    """docs/performance.md is written from the JSON, and not by hand."""
    assert PAGE.read_text(encoding="utf-8") == page(results)


def test_readme_has_the_study_s_times(results):
    """Each time in the README's table of speeds was measured."""
    table = HEADLINE.search(README.read_text(encoding="utf-8"))

    assert table is not None
    assert table[0] == headline(results)


def test_what_was_measured_is_the_readme_s_cell():
    """The cell of the table is the text that the README shows."""
    shown = re.search(
        r"`mine\.cell`:\n\n```text\n(.*?)```",
        README.read_text(encoding="utf-8"),
        re.DOTALL,
    )

    assert shown is not None
    assert shown[1] == (HERE / "mine.cell").read_text(encoding="utf-8")
