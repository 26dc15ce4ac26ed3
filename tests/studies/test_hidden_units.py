"""The study of the number of hidden units says what was trained."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import hidden_units
from cellwright.cells import load
from cellwright.explain.rules_of_thumb import rules_of_thumb
from cellwright.tasks import sunspots
from cellwright.train import Forecaster
from hidden_units import HERE, UNITS, parameters, study
from hidden_units_page import report
from sunspots_folds import SEEDS, known


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    """Return the committed study."""
    return json.loads((HERE / "hidden_units.json").read_text("utf-8"))


def test_sizes_are_trained_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Each on every fold with every seed; means and differences follow from these."""
    rows: list[dict[str, Any]] = []

    def finish(_: Path, names: list[str], do: Any, *__: Any) -> list[dict[str, Any]]:
        rows.extend(map(do, names))
        return rows

    monkeypatch.setattr(hidden_units, "finish", finish)
    found = study(1, 512, (2, 3), tmp_path / "work", 1)

    assert [(r["units"], r["fold"], r["seed"]) for r in rows] == [
        (units, fold, seed) for units in (2, 3) for fold in range(4) for seed in SEEDS
    ]
    two, three = found["sizes"]
    for own in (two, three):
        by_fold = [
            fmean(
                r["mse"] for r in rows if (r["units"], r["fold"]) == (own["units"], f)
            )
            for f in range(4)
        ]
        assert own["mse_by_fold"] == by_fold
        assert own["mse"] == fmean(by_fold)
    best = min(two, three, key=lambda row: row["mse"])
    assert (found["lowest"], best["above"]) == (best["units"], 0)
    assert two["above"] + three["above"] > 0
    assert f"| 2 | {2 * 4 * (1 + 2 + 1) + 20 * 3} | {two['mse']:.4f}" in report(found)


def test_parameters_are_those_of_the_forecaster():
    """Four gates and a linear layer to all steps that are forecast."""
    model = Forecaster(load("lstm"), ("spots",), 20, 7, hidden_size=9)
    assert parameters(9, 7) == sum(p.numel() for p in model.parameters())


def test_committed_study_is_of_these_data(committed: dict[str, Any]):
    """Sizes, series and rules are those of the code, and the page is its words."""
    series = known(sunspots())
    assert (committed["rows"], committed["sha256"]) == (len(series), series.sha256)
    assert [row["units"] for row in committed["sizes"]] == list(UNITS)
    few, most = min(committed["examples"]), max(committed["examples"])
    assert [(r["fewest"], r["most"]) for r in committed["rules"]] == [
        (one.fewest, other.most)
        for one, other in zip(
            *(rules_of_thumb(1, 20, n) for n in (few, most)), strict=True
        )
    ]
    assert (HERE / "hidden_units.md").read_text("utf-8") == report(committed)
