"""The fold study of the sunspot forecaster as a Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def report(found: dict[str, Any]) -> str:
    """Return the study as a Markdown page."""
    settings = found["settings"]
    size = f"{found['cell']}({settings['hidden_size']})"
    paragraphs = [
        "# Which sunspot forecaster: folds of the first four fifths",
        (
            "Made by `python studies/sunspots_folds.py` from the first "
            f"{found['known']['rows']:,} months, {found['folds'][0]['training'][0]} to "
            f"{found['folds'][-1]['validation'][1]}; the last fifth of the series is "
            "cut off before anything else sees it."
        ),
        _fold_table(found["folds"]),
        f"The rule, written down before the first training: {found['rule']}",
        (
            f"Every forecaster is {size} and a linear layer (*plain*), with up to "
            "three additions: the linear layer says the *change* from the last known "
            "value; the weights are a running *average* (0.98); *dropout* (0.2) comes "
            f"before the linear layer. Adam's rate is {found['rate']:g} where no "
            f"other is named. Seeds {' and '.join(map(str, found['seeds']))}. Behind "
            "± stands one standard error."
        ),
        _candidate_table(found),
        (
            f"Lowest is **{found['lowest']}**; by the rule **{found['chosen']}** is "
            f"chosen. {_beside_the_line(found)}"
        ),
        "Settings: " + ", ".join(f"{k} {v}" for k, v in settings.items() if v) + ".",
        "Software: "
        + ", ".join(f"{k} {v}" for k, v in found["software"].items())
        + ".",
    ]
    return "\n\n".join(paragraphs) + "\n"


def _beside_the_line(found: dict[str, Any]) -> str:
    """Say how the chosen forecaster stands beside the AR of the same months."""
    (chosen,) = [r for r in found["candidates"] if r["name"] == found["chosen"]]
    name = f"AR({found['settings']['history']})"
    rivals = [row[name]["mse"] for row in found["baselines"]]
    pairs = zip(chosen["mse_by_fold"], rivals, strict=True)
    won = sum(own < rival for own, rival in pairs)
    ratio = chosen["mean_mse"] / statistics.fmean(rivals)
    side = "above" if ratio > 1 else "below"
    return (
        f"Its mean is {abs(ratio - 1):.1%} {side} that of {name}, the linear "
        f"autoregression from the same months; it is the better of the two on {won} of "
        f"{len(rivals)} folds."
    )


def _fold_table(rows: Sequence[dict[str, list[str]]]) -> str:
    lines = ["| fold | training | stopping | validation |", "|---:|---|---|---|"]
    lines += [
        f"| {number} | "
        + " | ".join(
            " to ".join(row[part]) for part in ("training", "stopping", "validation")
        )
        + " |"
        for number, row in enumerate(rows, 1)
    ]
    return "\n".join(lines)


def _candidate_table(found: dict[str, Any]) -> str:
    numbers = range(1, len(found["folds"]) + 1)
    lines = [
        "| forecaster | mean MSE | "
        + " | ".join(f"fold {number}" for number in numbers)
        + " | above the lowest | ties |",
        "|---|" + "---:|" * (len(numbers) + 2) + "---|",
    ]
    for row in sorted(found["candidates"], key=lambda row: row["mean_mse"]):
        mark = "**" if row["name"] == found["chosen"] else ""
        above = f"{row['above_lowest']:.4f} ± {row['standard_error']:.4f}"
        lines.append(
            f"| {mark}{row['name']}{mark} | {mark}{row['mean_mse']:.4f}{mark} | "
            + " | ".join(f"{error:.4f}" for error in row["mse_by_fold"])
            + (f" | {above} | " if row["name"] != found["lowest"] else " | | ")
            + ("yes |" if row["ties"] else "no |")
        )
    for name in found["baselines"][0]:
        errors = [row[name]["mse"] for row in found["baselines"]]
        lines.append(
            f"| {name} | {statistics.fmean(errors):.4f} | "
            + " | ".join(f"{error:.4f}" for error in errors)
            + " | | |"
        )
    return "\n".join(lines)
