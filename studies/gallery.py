"""Train the two networks that the gallery opens.

``python studies/gallery.py`` writes `docs/gallery`: an LSTM on 235 years of sunspots,
by the command that anybody has, and a GRU that reads the pages of this documentation
character by character, as they are that day: later pages make another one. Half a
minute; both are small.
"""

from __future__ import annotations

import shutil
import sys
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.progress import track
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

import cellwright as cw

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from gallery_networks import FOLDER, Speller, tokens  # noqa: E402

KEPT = ("config.json", "metrics.json", "model.safetensors")
"""What a run needs to be loaded."""
BATCHES, ROWS, STEPS = 1500, 32, 64


def main() -> None:
    """Train both."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / "sunspots"
        cw.train.sunspots(out=run, hidden_size=16, seed=0)
        target = FOLDER / "sunspots"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in KEPT:
            shutil.copy(run / name, target / name)
        config = target / "config.json"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(f"{ROOT}/", ""), encoding="utf-8")
    save_file(trained_speller().state_dict(), FOLDER / "speller.safetensors")


def trained_speller() -> Speller:
    """Return a GRU that has read the pages; its loss is printed."""
    torch.manual_seed(0)
    pages = sorted((ROOT / "docs").glob("*.md"))
    text = tokens("".join(page.read_text(encoding="utf-8") for page in pages))
    network = Speller()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    bits = 0.0
    for _ in track(range(BATCHES), "reading"):
        places = torch.randint(len(text) - STEPS - 1, (ROWS, 1))
        rows = text[places + torch.arange(STEPS + 1)]
        scores = network(rows[:, :-1])
        loss = cross_entropy(scores.flatten(0, 1), rows[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        bits = loss.item() / log(2)
    print(f"bits a character: {bits:.2f}")
    return network


if __name__ == "__main__":
    main()
