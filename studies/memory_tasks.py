"""Learn the adding problem beside torch.nn's LSTM, and count with one unit and more.

``python studies/memory_tasks.py`` writes ``memory_tasks.md`` and ``memory_tasks.json``
beside it, and the pictures of docs/tasks.md. The runs stay below ``runs/``, and the
same command goes on with them. It takes some minutes.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cellwright as cw
from cellwright import train
from cellwright.bench.machine import machine
from cellwright.train import AddingSettings, Readout, Run
from cellwright.train.run import CHECKPOINT_SECONDS, carry_out
from cellwright.train.task_job import AddingJob
from scan_page import paragraphs

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "memory_tasks"
PICTURES = HERE.parent / "docs" / "pictures"
SEEDS = 3
STEPS = 100
DOCS = HERE.parent / "docs" / "tasks.md"
TABLE = re.compile(r"^\| network \| weights .*\n(\|.*\n)*", re.MULTILINE)
PERIODS = (4, 7)
CELLS = ("lstm", "gru", "elman")


class TorchJob(AddingJob):
    """The adding problem by torch.nn's own LSTM, its forget bias set likewise."""

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Readout:
        """Make the network with torch's layer in the place of ours."""
        settings = AddingSettings.from_json(config["settings"])
        task, units = settings.task, settings.hidden_size
        layer = cw.nn.LSTM(task.input_size, units, forget_bias=settings.forget_bias)
        model = Readout(layer, units, task.output_size)
        cw.convert(model, to="torch")
        return model


NETWORKS = {
    "cellwright": (AddingJob, 3.0),
    "torch.nn": (TorchJob, 3.0),
    "cellwright, plain": (AddingJob, None),
    "torch.nn, plain": (TorchJob, None),
}


def main() -> None:
    """Run the study, or what is left of it."""
    adding: dict[str, list[Run]] = {name: [] for name in NETWORKS}
    for seed in range(SEEDS):  # in turns: what else the machine does hits all
        for name, (job, forget_bias) in NETWORKS.items():
            settings = AddingSettings(steps=STEPS, seed=seed, forget_bias=forget_bias)
            run = carry_out(
                job(settings),
                RUNS / f"adding-{name.replace(', ', '-')}-{seed}",
                resume=True,
                progress=True,
                checkpoint_seconds=CHECKPOINT_SECONDS,
                tensorboard=False,
            )
            adding[name].append(run)
    counting = {
        f"{cell}, period {period}": train.periodic(
            period=period,
            cell=cell,
            out=RUNS / f"periodic-{cell}-{period}",
            resume=True,
        )
        for cell in CELLS
        for period in PERIODS
    }
    found = {
        "adding": {
            name: [_facts(run) for run in runs] for name, runs in adding.items()
        },
        "periodic": {
            name: [_facts(run) for run in runs] for name, runs in counting.items()
        },
        "settings": adding["cellwright"][0].config["settings"],
        "machine": machine() | {"system": platform.machine()},
    }
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (HERE / "memory_tasks.json").write_text(text, encoding="utf-8")
    page = report(found)
    (HERE / "memory_tasks.md").write_text(page, encoding="utf-8")
    DOCS.write_text(with_table(DOCS.read_text(encoding="utf-8"), found), "utf-8")
    first = adding["cellwright"][0].folder
    shutil.copyfile(first / "answers.png", PICTURES / "adding.png")
    one = counting["lstm, period 4"][0].folder
    shutil.copyfile(one / "answers.png", PICTURES / "one-unit.png")
    print(page)


def _facts(run: Run) -> dict[str, Any]:
    settings, metrics = run.config["settings"], run.metrics
    return {
        "seed": settings["seed"],
        "units": settings["hidden_size"],
        "seconds": run.seconds,
        **{k: metrics[k] for k in ("parameters", "passed_at", "seen", "test")},
        **{k: metrics[k] for k in ("memoryless", "alone") if k in metrics},
    }


def report(found: Mapping[str, Any]) -> str:
    """Return the study as a Markdown page."""
    s, m = found["settings"], found["machine"]
    nothing = found["adding"]["cellwright"][0]["memoryless"]["mse"]
    lines = ["# Adding and counting", ""]
    lines += paragraphs(
        f"""Made by `python studies/memory_tasks.py` on {m["processor"]}, {m["threads"]}
        threads, torch {m["torch"]}."""
    )
    lines += [f"## Adding: the mean of two of {s['steps']} numbers", ""]
    lines += paragraphs(
        f"""`cellwright train adding --seed S`, and the same with torch.nn's layer, in
        turns: {s["hidden_size"]} units, first bias of the forget gate
        {s["forget_bias"]:g}, {s["optimiser"]} {s["learning_rate"]:g}, batches of
        {s["batch_size"]}, until the rule of 1997 is met (the last 2,000 errors all
        below 0.04, their mean below 0.01). *Plain* has torch's own first values of all
        weights. Wrong are errors from 0.04 on in 2,560 fresh
        sequences. Whoever remembers nothing has an MSE of {nothing:.4f}."""
    )
    lines += [
        "| layer | seed | learned after | wrong | MSE | seconds | sequences/s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {row['seed']} | {_learned(row)} | {row['test']['wrong']:,} | "
        f"{row['test']['mse']:.2g} | {row['seconds']:.0f} | "
        f"{row['seen'] / row['seconds']:,.0f} |"
        for name, rows in found["adding"].items()
        for row in rows
    ]
    lines += ["", "## 1 0 0 0 1 0 0 0 ...", ""]
    lines += paragraphs(
        """`cellwright train periodic --cell CELL --period P`: until 10,000 symbols in a
        row have errors below 0.25. *Right* are symbols of fresh sequences, *alone* the
        steps in a row, of 1,000, in which a network that hears only itself is right."""
    )
    lines += [
        "| cell | units | weights | learned after | right | MSE | alone |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {row['units']} | {row['parameters']:,} | {_learned(row)} | "
        f"{row['test']['accuracy']:.1%} | {row['test']['mse']:.2g} | "
        f"{row['alone']['right']:,} |"
        for name, rows in found["periodic"].items()
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def with_table(text: str, found: Mapping[str, Any]) -> str:
    """Return the page of the tasks with what networks of several sizes learned.

    Args:
        text: The page.
        found: The study.
    """
    lines = [
        "| network | weights | symbols until 10,000 in a row were right | MSE then |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| lstm({row['units']}) | {row['parameters']:,} | {_learned(row)} | "
        f"{row['test']['mse']:.2g} |"
        for row in found["periodic"]["lstm, period 4"]
    ]
    return TABLE.sub("\n".join(lines) + "\n", text)


def _learned(row: Mapping[str, Any]) -> str:
    at = row["passed_at"]
    return f"not in {row['seen']:,}" if at is None else f"{at:,}"


if __name__ == "__main__":
    main()
