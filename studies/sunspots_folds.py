"""Choose the sunspot forecaster on the first four fifths of the series.

``python studies/sunspots_folds.py`` writes ``sunspots-folds.md`` and
``sunspots-folds.json`` beside it. It takes some 40 minutes on one core, keeps every
finished training under ``runs/sunspots-folds`` and goes on from there.

The last fifth is cut off before anything else sees the series. What is left is cut
into eighths; a fold trains on the first k, stops on the next one and is measured on the
one after it. The rule below was written down before the first training.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from cellwright.tasks import (
    Block,
    Scale,
    Series,
    Split,
    all_baselines,
    score,
    sunspots,
    targets,
)
from cellwright.train import Forecaster, Settings
from cellwright.train.checkpoint import Checkpoints
from cellwright.train.files import read_json, sha256, write_json, write_text
from cellwright.train.folder import software
from cellwright.train.series_job import forecaster_loop
from cellwright.train.windows import Windows, blocks, forecast
from sunspots_folds_page import report

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "sunspots-folds"
RULE = (
    "The forecaster with the lowest mean squared error wins: over all 20 steps, in "
    "squared training-std units of each fold, in the mean of all folds and seeds. A "
    "forecaster ties with it if its mean is higher by no more than one standard error "
    "of their difference, taken over the folds (seeds averaged first). Of those that "
    "tie, the one with the fewest additions to the plain one is chosen; of several "
    "such, the one with the lowest mean."
)
RATE, GENTLE = 3e-3, 1e-3
EIGHTHS = 8
TRAINED_ON = (3, 4, 5, 6)
SEEDS = (0, 1)


@dataclass(frozen=True)
class Candidate:
    """A forecaster that may be chosen; without additions an LSTM and a linear layer.

    Attributes:
        change: The linear layer says the change from the last known value.
        average: How much of the running average of the weights a step keeps.
        dropout: Before the linear layer.
        learning_rate: Of Adam.
    """

    change: bool
    average: float
    dropout: float
    learning_rate: float

    @property
    def name(self) -> str:
        """What the tables call it."""
        parts = ["change"] * self.change
        parts += ["average"] * bool(self.average) + ["dropout"] * bool(self.dropout)
        slow = f", rate {self.learning_rate:g}" if self.learning_rate != RATE else ""
        return (" + ".join(parts) or "plain") + slow

    @property
    def additions(self) -> int:
        """How many things it has that the plain forecaster has not."""
        return self.change + bool(self.average) + bool(self.dropout)

    def settings(self, base: Settings, seed: int) -> Settings:
        """Return the settings of one training."""
        return replace(base, **asdict(self), seed=seed)


CANDIDATES = (
    *itertools.starmap(
        Candidate, itertools.product((False, True), (0.0, 0.98), (0.0, 0.2), (RATE,))
    ),
    # The usual rate was found with averaged weights; those without may want less.
    Candidate(change=False, average=0.0, dropout=0.0, learning_rate=GENTLE),
    Candidate(change=True, average=0.0, dropout=0.0, learning_rate=GENTLE),
)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = study(known(sunspots()), Settings(), RUNS, _tell)
    write_json(HERE / "sunspots-folds.json", found)
    page = report(found)
    write_text(HERE / "sunspots-folds.md", page)
    print(page)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def known(series: Series) -> Series:
    """Return the first four fifths; the digest is that of the values left."""
    stop = Split.of(len(series)).test.start
    values = series.values[:stop].copy()
    digest = sha256(values.tobytes())
    return Series(series.name, series.columns, values, series.times[:stop], "", digest)


def folds(rows: int) -> tuple[Split, ...]:
    """Return the folds: training grows, stopping and validation are an eighth each."""
    edges = [rows * k // EIGHTHS for k in range(EIGHTHS + 1)]
    return tuple(
        Split(
            Block(0, edges[k]),
            Block(edges[k], edges[k + 1]),
            Block(edges[k + 1], edges[k + 2]),
        )
        for k in TRAINED_ON
    )


@dataclass(frozen=True)
class Inputs:
    """What one fold gives to every forecaster; later rows are not in it.

    Attributes:
        columns: Of the series.
        split: Training, stopping and validation rows.
        scale: Of the training rows.
        scaled: The rows up to the end of validation, in training-std units.
    """

    columns: tuple[str, ...]
    split: Split
    scale: Scale
    scaled: Any

    @classmethod
    def of(cls, series: Series, split: Split) -> Inputs:
        """Cut the rows of a fold."""
        scale = Scale.of(series, split.train)
        scaled = scale.apply(series.values[: split.test.stop])
        return cls(series.columns, split, scale, scaled)


def measure(inputs: Inputs, settings: Settings) -> dict[str, Any]:
    """Train as the job does, and measure on the fold's validation block."""
    plan, split = settings.plan, inputs.split
    train, stopping = blocks(inputs.scaled, split, plan, settings.batch_size)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place, torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Forecaster(
            settings.cell,
            inputs.columns,
            settings.history,
            settings.horizon,
            hidden_size=settings.hidden_size,
            num_layers=settings.num_layers,
            change=settings.change,
            dropout=settings.dropout,
            cell_options=settings.cell_options,
        )
        kept = Checkpoints(Path(place))
        loop = forecaster_loop(model, train, stopping, settings, checkpoints=kept)
        state = loop.begin()
        loop.run(state)
    starts = plan.starts(split.test)
    own = forecast(model, Windows.of(inputs.scaled, starts, plan))
    truth = targets(inputs.scaled, starts, plan.horizon)
    found = score("", own, truth, float(inputs.scale.std[0]), plan.history)
    best = state.best_epoch
    return {
        "mse": found.mse,
        "mse_by_step": found.mse_by_step,
        "stopping_mse": None if best is None else best.middle_loss,
        "best_epoch": None if best is None else best.number,
        "epochs": len(state.curve),
        "seconds": time.monotonic() - began,
    }


def study(
    series: Series,
    base: Settings,
    runs: Path,
    tell: Callable[[str], None],
    candidates: Sequence[Candidate] = CANDIDATES,
) -> dict[str, Any]:
    """Train every candidate on every fold with every seed, and choose one."""
    splits = folds(len(series))
    prepared = [Inputs.of(series, split) for split in splits]
    rows = list(_trainings(series, prepared, base, runs, tell, candidates))
    shown = base.to_json()
    del shown["cell"], shown["season"], shown["seed"]
    # The rest is the candidates' own.
    for entry in fields(Candidate):
        del shown[entry.name]
    return {
        "rule": RULE,
        "known": {"rows": len(series), "sha256": series.sha256},
        "folds": [_months(series, split) for split in splits],
        "seeds": SEEDS,
        "rate": RATE,
        "cell": base.cell.name,
        "settings": shown,
        "software": software(),
        **choose(candidates, rows, len(splits)),
        "baselines": [_baselines(inputs, base) for inputs in prepared],
    }


def _trainings(
    series: Series,
    prepared: Sequence[Inputs],
    base: Settings,
    runs: Path,
    tell: Callable[[str], None],
    candidates: Sequence[Candidate],
) -> Iterator[dict[str, Any]]:
    grid = list(itertools.product(range(len(prepared)), SEEDS, candidates))
    spent, trained = 0.0, 0
    for number, (fold, seed, candidate) in enumerate(grid, 1):
        settings = candidate.settings(base, seed)
        decided_by = {
            "known": series.sha256,
            "split": asdict(prepared[fold].split),
            "candidate": asdict(candidate),
            "settings": settings.to_json(),
            "software": software(),
        }
        path = runs / f"fold{fold + 1}-seed{seed}-{_file_name(candidate)}.json"
        if path.exists():
            kept = read_json(path)
            if kept["decided_by"] != decided_by:
                raise SystemExit(
                    f"{path}: a study goes on with what it began with; settings, data "
                    f"or software are others\n  fix: remove {runs} to begin anew"
                )
            yield kept
            continue
        found = measure(prepared[fold], settings)
        place = {"candidate": candidate.name, "fold": fold + 1, "seed": seed}
        row = {**place, **found, "decided_by": decided_by}
        write_json(path, row)
        spent, trained = spent + found["seconds"], trained + 1
        left = spent / trained * (len(grid) - number) / 60
        tell(
            f"{number} of {len(grid)}: fold {fold + 1}, seed {seed}, "
            f"{candidate.name}: {found['mse']:.4f} "
            f"({found['seconds']:.0f} s; about {left:.0f} minutes left)"
        )
        yield row


def _file_name(candidate: Candidate) -> str:
    return candidate.name.replace(" + ", "-").replace(", rate ", "-")


def choose(
    candidates: Sequence[Candidate], rows: Sequence[dict[str, Any]], count: int
) -> dict[str, Any]:
    """Apply the rule to the errors of all trainings."""
    by_fold = {
        candidate.name: [
            statistics.fmean(
                row["mse"]
                for row in rows
                if (row["candidate"], row["fold"]) == (candidate.name, fold)
            )
            for fold in range(1, count + 1)
        ]
        for candidate in candidates
    }
    means = {name: statistics.fmean(errors) for name, errors in by_fold.items()}
    lowest = min(means, key=lambda name: means[name])
    entries = []
    for candidate in candidates:
        name = candidate.name
        pairs = zip(by_fold[name], by_fold[lowest], strict=True)
        above = [one - other for one, other in pairs]
        spread = statistics.stdev(above) / math.sqrt(count)
        mean = statistics.fmean(above)
        entries.append(
            {
                "name": name,
                **asdict(candidate),
                "additions": candidate.additions,
                "mean_mse": means[name],
                "mse_by_fold": by_fold[name],
                "above_lowest": mean,
                "standard_error": spread,
                "ties": mean <= spread,
                "runs": [
                    {key: row[key] for key in row if key not in _REPEATED}
                    for row in rows
                    if row["candidate"] == name
                ],
            }
        )
    tied = [entry for entry in entries if entry["ties"]]
    chosen = min(tied, key=lambda entry: (entry["additions"], entry["mean_mse"]))
    return {"lowest": lowest, "chosen": chosen["name"], "candidates": entries}


_REPEATED = ("candidate", "decided_by")


def _months(series: Series, split: Split) -> dict[str, list[str]]:
    parts = {
        "training": split.train,
        "stopping": split.middle,
        "validation": split.test,
    }
    return {
        name: [series.times[block.start], series.times[block.stop - 1]]
        for name, block in parts.items()
    }


def _baselines(inputs: Inputs, base: Settings) -> dict[str, Any]:
    plan, split = base.plan, inputs.split
    truth = targets(inputs.scaled, plan.starts(split.test), plan.horizon)
    std = float(inputs.scale.std[0])
    first, *_, same, best = all_baselines(inputs.scaled, split, plan)
    rows = {"persistence": first, f"AR({plan.history})": same, "AR, best lag": best}
    return {
        name: {
            "lags": row.lags,
            "mse": score(name, row.forecast, truth, std, row.lags).mse,
        }
        for name, row in rows.items()
    }


if __name__ == "__main__":
    main()
