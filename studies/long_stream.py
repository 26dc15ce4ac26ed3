"""Train along 100,000 steps: in how much memory, and to which bits if killed.

``python studies/long_stream.py`` writes ``long_stream.md`` and ``long_stream.json``
beside it. It trains once without interruption for each length of the stream, and then
once more while it is killed (SIGKILL) at 100 random moments, resumed each time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

import cellwright as cw
from scan_page import paragraphs

HERE = Path(__file__).parent
LENGTHS = (10_000, 100_000, 1_000_000)
STEPS = 100_000
WINDOW, STRIDE = 100, 50
EPOCHS = 10
KILLS = 100
LONGEST = 9.0
"""Seconds after which a process is killed, at the latest."""
CHECKPOINT_SECONDS = 0.5
SAME = ("weights", "curve", "steps")


class Tagger(nn.Module):
    """A layer, and a number at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = cw.nn.Recurrent("lstm", 1, 32)
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``[T, B, 1]``."""
        return self.head(self.layer(x)[0])


def train(folder: Path, steps: int, epochs: int) -> None:
    """Train along one stream, as a process of its own, and print what came out."""
    torch.manual_seed(0)
    x = torch.randn(steps, 1)
    y = 0.5 * x.roll(5, 0) + 0.5 * x.roll(1, 0)
    model = Tagger()
    windows = cw.train.TruncatedBPTT(x, y, WINDOW, STRIDE)
    before = _most_memory()
    fit = cw.train.fit(
        model,
        windows,
        out=folder,
        resume=True,
        epochs=epochs,
        noise=0.05,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        progress=False,
    )
    weights = nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
    found = {
        "weights": hashlib.sha256(weights.tobytes()).hexdigest(),
        "curve": [row.training_loss for row in fit.curve],
        "steps": fit.steps,
        "before_mib": before,
        "after_mib": _most_memory(),
    }
    print(json.dumps(found))


def _most_memory() -> float:
    """Return the most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def start(folder: Path, steps: int, epochs: int) -> subprocess.Popen[str]:
    """Start a training in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--child",
        str(folder),
        str(steps),
        str(epochs),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def whole(folder: Path, steps: int, epochs: int) -> dict[str, Any]:
    """Train without interruption."""
    began = time.monotonic()
    out, _ = start(folder, steps, epochs).communicate()
    return {**json.loads(out), "seconds": time.monotonic() - began}


def killed(folder: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """Train while somebody kills the process, anew after each end, and compare.

    Raises:
        SystemExit: Weights, curve or steps are not those of the uninterrupted run.
    """
    draw, at, ends = Random(0), list[int](), 0
    while len(at) < KILLS or ends == 0 or folder.exists():
        process = start(folder, STEPS, EPOCHS)
        wait = draw.uniform(0, LONGEST) if len(at) < KILLS else None
        try:
            out, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            newest = max(folder.glob("checkpoints/*.json"), default=None)
            facts = {} if newest is None else json.loads(newest.read_text())["facts"]
            at.append(facts.get("step", 0))
            print(f"\r{len(at)} kills, {ends} ends", end="", file=sys.stderr)
            continue
        found = json.loads(out)
        for name in SAME:
            if found[name] != expected[name]:
                raise SystemExit(f"{name}: {found[name]}, not {expected[name]}")
        ends += 1
        shutil.rmtree(folder)
    return {"kills": len(at), "ends": ends, "checkpoint_at_kill": at}


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, steps, epochs = options.child
        train(Path(folder), int(steps), int(epochs))
        return
    with tempfile.TemporaryDirectory() as place:
        lengths = {n: whole(Path(place) / str(n), n, 1) for n in LENGTHS}
        expected = whole(Path(place) / "whole", STEPS, EPOCHS)
        found = {
            "lengths": lengths,
            "whole": expected,
            "killed": killed(Path(place) / "killed", expected),
            "torch": torch.__version__,
        }
    text = json.dumps(found, indent=2) + "\n"
    (HERE / "long_stream.json").write_text(text, encoding="utf-8")
    page = report(found)
    (HERE / "long_stream.md").write_text(page, encoding="utf-8")
    print(page)


def report(found: dict[str, Any]) -> str:
    """Return the study as a Markdown page."""
    kills, steps = found["killed"], found["whole"]["steps"]
    early = kills["checkpoint_at_kill"].count(0)
    lines = ["# A stream of 100,000 steps", ""]
    lines += paragraphs(
        f"""Made by `python studies/long_stream.py`: an LSTM of 32 units and a linear
        layer say a number at every step; windows of {WINDOW} steps, {STRIDE} from each
        to the next, states carried, Adam, input noise; torch {found["torch"]}."""
    )
    lines += ["## Memory", ""]
    lines += paragraphs(
        """The most memory that the process has held, before and after an epoch. Only
        the stream itself grows."""
    )
    lines += [
        "| steps of the stream | MiB before | MiB after | more |",
        "|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {int(length):,} | {row['before_mib']:.0f} | {row['after_mib']:.0f} | "
        f"{row['after_mib'] - row['before_mib']:.0f} |"
        for length, row in found["lengths"].items()
    ]
    lines += ["", "## Killed", ""]
    lines += paragraphs(
        f"""{EPOCHS} epochs, {steps:,} steps of the weights, a checkpoint every
        {CHECKPOINT_SECONDS} s; killed by SIGKILL after a random time of up to
        {LONGEST:g} s (starting Python takes about three) and resumed by the same call:
        {kills["kills"]} kills, {early} of them before there was a checkpoint.
        {kills["ends"]} trainings came to their end between and after them. Their
        weights are those of the uninterrupted one, to the bit, and so is every loss of
        their curves."""
    )
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
