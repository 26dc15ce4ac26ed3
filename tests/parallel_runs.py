"""What each process of a test of several runs: FOLDER, then what to do, then STEPS.

Batches have seven rows, so that two processes have unequal shares.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

import cellwright as cw
from cellwright.train import (
    DivergedError,
    Event,
    InterruptedRunError,
    Tensors,
    TruncatedBPTT,
    fit,
)


class Tagger(nn.Module):
    """A layer, and a number at every step."""

    def __init__(self):
        super().__init__()
        self.layer = cw.nn.GRU(2, 6)
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        """Return ``[T, B, 1]``."""
        return self.head(self.layer(x)[0])


def stream(folder: Path, steps: str, resume: bool = False) -> None:
    """Train along a stream up to a step, and write the losses of this part.

    It ends as by Ctrl-C, so that it can go on.
    """
    torch.manual_seed(0)
    x = torch.randn(700, 2)
    model = Tagger()
    losses: list[float] = []

    def note(event: Event) -> None:
        if event.kind == "step":
            losses.append(event.loss)
        if event.state.step == int(steps):
            signal.raise_signal(signal.SIGINT)

    source = TruncatedBPTT(x, x[:, :1].cumsum(0) / 10, 10, 5, batch_size=7)
    options = {"resume": resume, "callbacks": [note], "noise": 0.1}
    with suppress(InterruptedRunError):
        fit(model, source, out=folder, epochs=9, progress=False, **options)
    if losses:
        torch.save(torch.tensor(losses), folder / "losses.pt")


def resumed(folder: Path, steps: str) -> None:
    """Go on along the stream."""
    stream(folder, steps, resume=True)


class Dropping(Tagger):
    """With numbers that are drawn for each row."""

    def forward(self, x):
        """Return ``[T, B, 1]``."""
        return nn.functional.dropout(super().forward(x), 0.5, self.training)


def dropout(folder: Path, steps: str) -> None:
    """Train unlike models by dropout, and write what the process ends with.

    Only the leading process draws numbers in its callbacks, and each measures another
    loss; by the leading one's the first epoch is the best.
    """
    rank = int(os.environ["RANK"])
    torch.manual_seed(rank)
    model = Dropping()
    torch.manual_seed(7)
    x = torch.randn(5, 70, 2)
    orders: list[torch.Tensor] = []

    class Noted(Tensors):
        def order(self) -> torch.Tensor:
            orders.append(super().order())
            return orders[-1]

    curve = fit(
        model,
        Noted(x, x[..., :1], 7, batch_first=False),
        middle=lambda _: float(len(orders) * (-1 if rank else 1)),
        callbacks=[lambda _: torch.rand(3)],
        epochs=int(steps),
        patience=2,
        average=0.9,
        progress=False,
    ).curve
    ended = {
        "orders": torch.stack(orders),
        "weights": nn.utils.parameters_to_vector(model.parameters()).detach(),
        "epochs": torch.tensor(len(curve)),
    }
    torch.save(ended, folder / f"ended-{rank}.pt")


class Lazy(Tagger):
    """With a weight that nothing uses."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(3, 3)


def rest(folder: Path, steps: str) -> None:
    """Train where the last batch has one row, and a weight is not used."""
    torch.manual_seed(0)
    x = torch.randn(5, 15, 2)
    losses: list[float] = []
    fit(
        Lazy(),
        Tensors(x, x[..., :1], 7, batch_first=False),
        callbacks=[lambda e: losses.append(e.loss) if e.kind == "step" else None],
        accumulate=2,
        epochs=int(steps),
        progress=False,
    )
    if losses:
        torch.save(torch.tensor(losses), folder / "losses.pt")


def nan(folder: Path, steps: str) -> None:
    """Meet a NaN in the last row, which is the last process' own."""
    x = torch.zeros(5, 7, 2)
    x[3, 6, 1] = torch.nan
    rank = os.environ["RANK"]
    try:
        fit(Tagger(), Tensors(x, x[..., :1], 7, batch_first=False), progress=False)
    except DivergedError as error:
        (folder / f"told-{rank}.txt").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    jobs = {job.__name__: job for job in (stream, resumed, dropout, rest, nan)}
    jobs[sys.argv[2]](Path(sys.argv[1]), sys.argv[3])
