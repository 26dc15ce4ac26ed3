"""The wrong edits that `studies/mutations.py` makes still fit the code."""

from pathlib import Path

import mutations

ROOT = Path(__file__).parents[2]
EDITS = list(mutations.read(mutations.HERE / "mutations.txt"))


def test_what_every_edit_replaces_stands_once_in_its_file():
    """Code that is rewritten takes the edits of it along."""
    counts = {
        str(edit): (ROOT / edit.file).read_text(encoding="utf-8").count(edit.old)
        for edit in EDITS
    }

    assert {edit: count for edit, count in counts.items() if count != 1} == {}


def test_every_edit_names_tests_that_there_are():
    """An edit that no test can notice by its own ones would be tried for nothing."""
    files = {
        word
        for edit in EDITS
        for word in edit.tests.split()
        if word.startswith("tests/") and not (ROOT / word.split("::")[0]).exists()
    }

    assert files == set()
