"""The study of the number of hidden units as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def report(found: dict[str, Any]) -> str:
    """Return the study as a Markdown page."""
    examples = found["examples"]
    settings, best = found["settings"], found["lowest"]
    paragraphs = [
        "# How many hidden units: rules of thumb, tried on the sunspots",
        (
            f"Made by `python studies/hidden_units.py` from the first "
            f"{found['rows']:,} months of the series, on the folds of "
            f"`sunspots-folds.md` ({min(examples):,} to {max(examples):,} examples). "
            f"The forecaster reads one number at each of {settings['history']} steps "
            f"and forecasts the next {settings['horizon']}: an LSTM and a linear layer "
            f"({found['forecaster']}), trained for {settings['epochs']} epochs at most "
            "and kept as they were at their best on a stopping block. Errors are mean "
            "squared ones on the fold's validation block, in squared training-std "
            "units, in the mean of the folds and of seeds "
            f"{' and '.join(map(str, found['seeds']))}."
        ),
        _size_table(found["sizes"]),
        (
            f"Lowest is {best}. Beside it stands how far a size is above it, ± one "
            "standard error over the folds, and how far two seeds of one size are "
            "apart, which is what a difference has to be seen against."
        ),
        _rule_table(found),
        "Settings: " + ", ".join(f"{k} {v}" for k, v in settings.items()) + ".",
        "Software: "
        + ", ".join(f"{k} {v}" for k, v in found["software"].items())
        + ".",
    ]
    return "\n\n".join(paragraphs) + "\n"


def _size_table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| units | parameters | mean MSE | above the lowest | two seeds apart |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['units']} | {row['parameters']:,} | {row['mse']:.4f} | "
        f"{row['above']:.4f} ± {row['standard_error']:.4f} | "
        f"{row['spread_of_seeds']:.4f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _rule_table(found: dict[str, Any]) -> str:
    """Return each rule with the sizes tried that it allows, and the best of these."""
    lines = [
        "| rule | says | of the sizes tried | the best of them | above the lowest |",
        "|---|---|---|---:|---:|",
    ]
    for rule in found["rules"]:
        fewest, most = rule["fewest"], rule["most"]
        says = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        fitting = [r for r in found["sizes"] if fewest <= r["units"] <= most]
        cells = ["none", "", ""]
        if fitting:
            best = min(fitting, key=lambda row: row["mse"])
            tried = ", ".join(str(row["units"]) for row in fitting)
            cells = [tried, f"{best['units']}", f"{best['above']:.4f}"]
        lines.append(f"| {rule['words']} | {says} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
