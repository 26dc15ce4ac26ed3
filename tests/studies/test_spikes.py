"""What the page about spikes says is what the study found."""

import re

import pytest

import spikes
from cellwright.networks import IZHIKEVICH_TYPES

DOCS = (spikes.PICTURES.parent / "spikes.md").read_text("utf-8")
STUDY = (spikes.HERE / "spikes.md").read_text("utf-8")
TABLE = re.compile(r"\| type \| one .*\n(?:\|.*\n)*")


def test_the_table_is_the_studys():
    """The page repeats the study's counts, which are those of the reference today."""
    assert TABLE.findall(DOCS) == TABLE.findall(STUDY)
    for kind in IZHIKEVICH_TYPES:
        assert f"\n| {kind} | {spikes.one(kind)} | " in STUDY


def test_seconds_are_the_studys():
    """The page's two times are the two that the study measured."""
    found = re.findall(r"([0-9.]+) s\b", STUDY)
    assert len(found) == 2
    assert re.findall(r"0\.[0-9]+ s\b", DOCS) == [f"{seconds} s" for seconds in found]


@pytest.mark.parametrize("name", ["neurons", "cortex", "rhythm", "plasticity"])
def test_pictures_are_there(name: str):
    """The page shows them."""
    assert (spikes.PICTURES / f"{name}.png").stat().st_size > 10_000
    assert f"pictures/{name}.png" in DOCS
