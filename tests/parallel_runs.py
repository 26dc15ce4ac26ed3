"""What each process of a test of several runs: its arguments FOLDER, STEPS, RESUME.

A stream in seven pieces, so that two processes have unequal shares.
"""

import sys
from pathlib import Path

import torch
from torch import nn

import cellwright as cw
from cellwright.train import Event, TruncatedBPTT, fit


class Tagger(nn.Module):
    """A layer, and a number at every step."""

    def __init__(self):
        super().__init__()
        self.layer = cw.nn.GRU(2, 6)
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        """Return ``[T, B, 1]``."""
        return self.head(self.layer(x)[0])


def main(folder: str, steps: str, resume: str) -> None:
    """Train, and write the losses of this part."""
    torch.manual_seed(0)
    x = torch.randn(700, 2)
    model = Tagger()
    losses: list[float] = []

    def note(event: Event) -> bool:
        if event.kind == "step":
            losses.append(event.loss)
        return event.state.step == int(steps)

    source = TruncatedBPTT(x, x[:, :1].cumsum(0) / 10, 10, 5, batch_size=7)
    options = {"resume": resume == "1", "callbacks": [note], "noise": 0.1}
    fit(model, source, out=folder, epochs=9, progress=False, **options)
    if losses:
        torch.save(torch.tensor(losses), Path(folder) / "losses.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
