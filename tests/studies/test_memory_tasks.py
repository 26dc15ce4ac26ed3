"""What the pages say about adding and counting is what the study found."""

import json
from pathlib import Path

import pytest

import memory_tasks

FOUND = json.loads((memory_tasks.HERE / "memory_tasks.json").read_text("utf-8"))


def test_pages_are_those_of_the_study():
    """The study's page and the table of the tasks are made from its numbers."""
    page = memory_tasks.HERE / "memory_tasks.md"
    assert page.read_text("utf-8") == memory_tasks.report(FOUND)
    docs = memory_tasks.DOCS.read_text("utf-8")
    assert memory_tasks.with_table(docs, FOUND) == docs
    assert "| lstm(1) | 14 | " in docs


@pytest.mark.parametrize("name", ["adding.png", "one-unit.png"])
def test_pictures_are_there(name: str):
    """The page of the tasks shows them."""
    assert (Path(memory_tasks.PICTURES) / name).stat().st_size > 10_000
    assert f"pictures/{name}" in memory_tasks.DOCS.read_text("utf-8")


def test_every_seed_learned():
    """Three of three, by torch's layer and by ours."""
    for name, rows in FOUND["adding"].items():
        assert [row["seed"] for row in rows] == [0, 1, 2], name
        assert all(row["passed_at"] for row in rows), name
