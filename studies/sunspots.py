"""Train the sunspot forecaster with five seeds and write down what came out.

``python studies/sunspots.py`` (``make study``) writes ``sunspots.md`` and
``sunspots.json`` beside it, and from them the table of the README and its picture.
It takes some minutes with the defaults of `cellwright.train.sunspots`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch

from cellwright import train

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PICTURE = HERE.parent / "docs" / "pictures" / "sunspots.png"
TABLE = re.compile(r"^\| forecaster, \d+ months ahead .*\n(\|.*\n)*", re.MULTILINE)
SHOWN = [
    "history",
    "horizon",
    "hidden_size",
    "num_layers",
    "change",
    "dropout",
    "epochs",
    "patience",
    "batch_size",
    "learning_rate",
    "clip",
    "average",
]


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--runs", type=Path, help="keep the runs here, and resume them")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = options.runs or Path(folder)
        runs = [
            train.sunspots(seed=seed, out=place / str(seed), resume=True)
            for seed in range(options.seeds)
        ]
        shutil.copyfile(runs[0].folder / "forecast.png", PICTURE)
    found = study(runs)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (HERE / "sunspots.json").write_text(text, encoding="utf-8")
    page = report(found)
    (HERE / "sunspots.md").write_text(page, encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    README.write_text(with_table(readme, found), encoding="utf-8")
    print(page)


def study(runs: list[train.SeriesRun]) -> dict[str, Any]:
    """Gather the runs of one setting, which differ by their seed alone."""
    first = runs[0]
    errors = [run.scores[0].mse for run in runs]
    settings = first.config["settings"]
    rival = next(s for s in first.scores[1:] if s.name == f"AR({settings['history']})")
    return {
        "settings": {name: settings[name] for name in SHOWN},
        "cell": settings["cell"][-1]["name"],
        "data": {k: first.config["data"][k] for k in ("name", "sha256", "rows")},
        "software": first.config["software"],
        "test_windows": first.metrics["test_windows"],
        "training_std": first.metrics["units"]["training_std"],
        "model": {
            "mean_mse": statistics.fmean(errors),
            "least_mse": min(errors),
            "largest_mse": max(errors),
            "below_same_inputs": 1 - statistics.fmean(errors) / rival.mse,
            "seeds": [
                {
                    "seed": run.config["settings"]["seed"],
                    "best_epoch": run.metrics["best_epoch"],
                    "epochs": run.metrics["epochs"],
                    "middle_mse": run.metrics["middle_mse"],
                    **run.metrics["model"],
                }
                for run in runs
            ],
        },
        "baselines": first.metrics["baselines"],
    }


def report(found: dict[str, Any]) -> str:
    """Return the study as a Markdown page."""
    settings, model = found["settings"], found["model"]
    name = f"{found['cell']}({settings['hidden_size']})"
    paragraphs = [
        f"# Monthly sunspots, {settings['horizon']} months ahead",
        (
            f"Made by `python studies/sunspots.py`. {found['data']['rows']:,} months, "
            f"split 70/10/20 by time; {found['test_windows']} test windows. Mean "
            f"squared error over all {settings['horizon']} steps in squared "
            f"training-std units (one is {found['training_std']:.2f} sunspot numbers)."
        ),
        _comparison(found, name),
        _beside_the_line(found, name),
        _seeds(model["seeds"], settings["horizon"]),
        "Settings: " + ", ".join(f"{k} {v}" for k, v in settings.items()) + ".",
        "Software: "
        + ", ".join(f"{k} {v}" for k, v in found["software"].items())
        + ".",
        (
            f"The best lag sees {found['baselines'][-1]['lags']} months; a solar cycle "
            f"has about 132. {settings['history']} months do not say how strong the "
            "present cycle will be, and no model can read from them what they do not "
            "hold."
        ),
        (
            "A run chooses its best epoch, and the baselines' lag and season, on the "
            "middle block. How the forecaster itself was chosen, and how often the "
            "test block was seen on the way: [sunspots-choice.md](sunspots-choice.md)."
        ),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _beside_the_line(found: dict[str, Any], name: str) -> str:
    """Say how the mean of the seeds stands beside the AR of the same months."""
    errors = [row["mse"] for row in found["model"]["seeds"]]
    below = found["model"]["below_same_inputs"]
    side = "below" if below > 0 else "above"
    spread = ""
    if len(errors) > 1:
        error = statistics.stdev(errors) / len(errors) ** 0.5
        spread = f" The standard error of that mean is {error:.3f}."
    return (
        f"From the same {found['settings']['history']} months, {name} is "
        f"{abs(below):.1%} {side} the linear autoregression, in the mean of the seeds."
        f"{spread}"
    )


def _comparison(found: dict[str, Any], name: str) -> str:
    model, history = found["model"], found["settings"]["history"]
    seeds = model["seeds"]
    rmse = statistics.fmean(row["rmse"] for row in seeds)
    span = f"({model['least_mse']:.3f} to {model['largest_mse']:.3f})"
    lines = [
        "| forecaster | months seen | MSE | RMSE (sunspot number) |",
        "|---|---:|---:|---:|",
        (
            f"| **{name}**, mean of {len(seeds)} seeds | {history} | "
            f"**{model['mean_mse']:.3f}** {span} | {rmse:.1f} |"
        ),
    ]
    lines += [
        f"| {row['name']} | {row['lags']} | {row['mse']:.3f} | {row['rmse']:.1f} |"
        for row in found["baselines"]
    ]
    return "\n".join(lines)


def with_table(readme: str, found: dict[str, Any]) -> str:
    """Return the README with the study's table in the place of the one it has."""
    table = _readme_table(found)
    changed, count = TABLE.subn(lambda _: table, readme)
    if count != 1:
        raise SystemExit(f"{README}: has {count} tables of the study; one is written")
    return changed


def _readme_table(found: dict[str, Any]) -> str:
    settings, model = found["settings"], found["model"]
    name = f"{found['cell']}({settings['hidden_size']})"
    *others, same, best = found["baselines"]
    rows = [
        (
            f"{name}, mean of {len(model['seeds'])} seeds (range)",
            settings["history"],
            model["mean_mse"],
            f" ({model['least_mse']:.3f} to {model['largest_mse']:.3f})",
        ),
        ("linear autoregression, the same months", same["lags"], same["mse"], ""),
        ("linear autoregression, its best lag", best["lags"], best["mse"], ""),
        *((re.sub(r" \(.*", "", r["name"]), r["lags"], r["mse"], "") for r in others),
    ]
    lowest = min(mse for _, _, mse, _ in rows)
    lines = [
        (
            f"| forecaster, {settings['horizon']} months ahead | months seen | "
            "mean squared error |"
        ),
        "|---|---:|---:|",
    ]
    for name, lags, mse, span in rows:
        bold = "**" if mse == lowest else ""
        lines.append(f"| {bold}{name}{bold} | {lags} | {bold}{mse:.3f}{bold}{span} |")
    return "\n".join(lines) + "\n"


def _seeds(seeds: list[dict[str, Any]], horizon: int) -> str:
    lines = [
        (
            "| seed | best epoch | middle block MSE | test MSE | step 1 | "
            f"step {horizon} |"
        ),
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['seed']} | {row['best_epoch']} of {row['epochs']} | "
        f"{row['middle_mse']:.4f} | {row['mse']:.4f} | {row['mse_by_step'][0]:.3f} | "
        f"{row['mse_by_step'][-1]:.3f} |"
        for row in seeds
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
