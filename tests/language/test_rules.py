"""Every rule has a text that breaks it, and the report of it is kept word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cellwright.cells import library
from cellwright.language.cell import read_cell
from cellwright.language.report import CellError, Source
from cellwright.language.rules import RULES
from cellwright.language.source import read_source

HERE = Path(__file__).parent
FAULTS = sorted((HERE / "faults").glob("*.cell"))
SEVERAL = {
    "all-at-once": (
        "unknown-size statement output unknown-function matmul-order bracket"
    ),
    "name-keyword": "name expression",
    "twice-prime": "missing-equation twice",
    "unused-state": "unused unused",
}
"""Texts with more than one fault; every other has exactly one."""


def resolve(name: str, user: Source) -> Source | None:
    """Return a base: one of the library, or a neighbour for the circle."""
    if name in library.names():
        return library.load(name).source
    path = HERE / "faults" / f"{name}.cell"
    return read_source(path) if path.is_file() else None


def report_of(path: Path) -> CellError:
    """Return the error of a text that is at fault."""
    with pytest.raises(CellError) as caught:
        read_cell(read_source(path), resolve, library.names())
    return caught.value


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_report_is_golden(path: Path, golden: Callable[[Path, str], None]) -> None:
    """A fault is told at its place, with rule, finding and fix, in these words."""
    golden(HERE / "golden" / f"{path.stem}.txt", f"{report_of(path)}\n")


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_one_typo_is_one_fault(path: Path) -> None:
    """A text with one fault gets one report: nothing is told because of another."""
    codes = [fault.code for fault in report_of(path).faults]
    if path.stem in SEVERAL:
        assert " ".join(codes) == SEVERAL[path.stem]
    else:
        assert len(codes) == 1
        assert path.stem == codes[0] or path.stem.startswith(
            (codes[0] + "-", codes[0] + "_")
        )


@pytest.mark.parametrize("code", RULES)
def test_every_rule_has_a_text(code: str) -> None:
    """No rule is without a text that breaks it, named after the rule."""
    assert HERE / "faults" / f"{code}.cell" in FAULTS


def test_golden_texts_have_sources() -> None:
    """No golden text outlives its source."""
    golden = {path.stem for path in (HERE / "golden").glob("*.txt")}
    assert golden == {path.stem for path in FAULTS}
