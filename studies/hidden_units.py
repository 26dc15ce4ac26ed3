"""Try what rules of thumb say of the number of hidden units on the sunspot series.

``python studies/hidden_units.py`` writes ``hidden_units.md`` and ``hidden_units.json``
beside it. It takes some ten minutes on two cores, keeps every finished training under
``runs/hidden-units`` and goes on from there.

The forecaster is the one that ``sunspots_folds.py`` chose, and so are the folds: the
last fifth of the series is cut off before anything else sees it. Sizes were written
down before the first training.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from cellwright.explain.rules_of_thumb import rules_of_thumb
from cellwright.tasks import Series, sunspots
from cellwright.train import Settings
from cellwright.train.files import write_json, write_text
from cellwright.train.folder import software
from hidden_units_page import report
from resumable import finish
from sunspots_folds import CANDIDATES, SEEDS, Inputs, folds, known, measure

HERE = Path(__file__).parent
WORK = HERE.parent / "runs" / "hidden-units" / "trainings.jsonl"
UNITS = (1, 2, 5, 10, 21, 40, 80, 160, 300)
"""About twice as many each time, among them a rule's number, 21, and what the
forecaster has, 300."""
(PLAIN,) = [each for each in CANDIDATES if each.name == "plain, rate 0.001"]
INPUTS = 1
"""Numbers that the forecaster reads at each step."""


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    usual = Settings()
    found = study(usual.epochs, usual.batch_size, UNITS, WORK, options.jobs)
    write_json(HERE / "hidden_units.json", found)
    page = report(found)
    write_text(HERE / "hidden_units.md", page)
    print(page)


def study(
    epochs: int, batch_size: int, sizes: Sequence[int], work: Path, jobs: int
) -> dict[str, Any]:
    """Train every size on every fold with every seed.

    Args:
        epochs: at most.
        batch_size: rows of a batch.
        sizes: numbers of hidden units.
        work: the file of finished trainings.
        jobs: processes.
    """
    base, splits = Settings(epochs=epochs, batch_size=batch_size), folds(len(_series()))
    names = [
        f"{epochs} {batch_size} {units} {fold} {seed}"
        for units in sizes
        for fold in range(len(splits))
        for seed in SEEDS
    ]
    rows = finish(work, names, training, jobs, _said)
    examples = [len(base.plan.starts(split.train)) for split in splits]
    by_size = {
        units: _by_fold([row for row in rows if row["units"] == units], len(splits))
        for units in sizes
    }
    means = {units: statistics.fmean(errors) for units, errors in by_size.items()}
    lowest = min(means, key=means.__getitem__)
    shown = {
        name: value
        for name, value in base.to_json().items()
        if name in ("history", "horizon", "epochs", "patience", "batch_size", "clip")
    }
    return {
        "rows": len(_series()),
        "sha256": _series().sha256,
        "examples": examples,
        "lowest": lowest,
        "sizes": [
            {
                "units": units,
                "parameters": parameters(units, base.horizon),
                "mse": means[units],
                "mse_by_fold": by_size[units],
                "spread_of_seeds": _spread(rows, units, len(splits)),
                **_above(by_size[units], by_size[lowest]),
            }
            for units in sizes
        ],
        "rules": _rules(examples, base.horizon),
        "forecaster": PLAIN.name,
        "settings": shown,
        "seeds": SEEDS,
        "software": software(),
    }


@cache
def _series() -> Series:
    return known(sunspots())


@cache
def _inputs(fold: int) -> Inputs:
    return Inputs.of(_series(), folds(len(_series()))[fold])


def training(name: str) -> dict[str, Any]:
    """Train once: epochs, rows of a batch, units, fold and seed."""
    torch.set_num_threads(1)
    epochs, batch, units, fold, seed = map(int, name.split())
    base = Settings(epochs=epochs, batch_size=batch, hidden_size=units)
    settings = PLAIN.settings(base, seed)
    found = measure(_inputs(fold), settings)
    place = {"units": units, "fold": fold, "seed": seed}
    return {**place, "mse": found["mse"], "seconds": found["seconds"]}


def parameters(units: int, outputs: int) -> int:
    """Return how many numbers four gates with a bias and a linear layer learn."""
    return 4 * (units * (INPUTS + units) + units) + outputs * (units + 1)


def _said(rows: Iterable[dict[str, Any]]) -> str:
    return f"{sum(row['seconds'] for row in rows):.0f} s of training"


def _by_fold(rows: Sequence[dict[str, Any]], count: int) -> list[float]:
    return [
        statistics.fmean(row["mse"] for row in rows if row["fold"] == fold)
        for fold in range(count)
    ]


def _spread(rows: Sequence[dict[str, Any]], units: int, count: int) -> float:
    """Return how far two seeds of a size are apart, in the mean of the folds."""
    apart = []
    for fold in range(count):
        own = [r["mse"] for r in rows if (r["units"], r["fold"]) == (units, fold)]
        apart.append(max(own) - min(own))
    return statistics.fmean(apart)


def _above(own: Sequence[float], best: Sequence[float]) -> dict[str, float]:
    """Return how far a size is above the lowest, and the standard error of that."""
    above = [one - other for one, other in zip(own, best, strict=True)]
    spread = statistics.stdev(above) / math.sqrt(len(above))
    return {"above": statistics.fmean(above), "standard_error": spread}


def _rules(examples: Sequence[int], outputs: int) -> list[dict[str, Any]]:
    """Return what each rule says on the fewest examples of a fold, and on the most."""
    pairs = zip(
        *(rules_of_thumb(INPUTS, outputs, n) for n in (min(examples), max(examples))),
        strict=True,
    )
    return [
        {"words": few.words, "fewest": few.fewest, "most": most.most}
        for few, most in pairs
    ]


if __name__ == "__main__":
    main()
