"""Several trainings in one script under ``torchrun``, each with its own trap."""

import json
import os
import subprocess
import sys

from cellwright.train.parallel import Group

SCRIPT = """
import atexit, json, os, sys
from pathlib import Path
import torch
from torch import nn
import cellwright as cw
from cellwright.train import RunError, fit

rank, place = os.environ["RANK"], Path(sys.argv[1])
x = torch.randn(16, 5, 1, generator=torch.Generator().manual_seed(0))
told = {}
joined = torch.distributed.is_initialized
atexit.register(lambda: (place / f"{rank}.joined").write_text(str(joined())))


def numbers(*modules):
    return [v.sum().item() for m in modules for v in m.state_dict().values()]


class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.randn(1))

    def forward(self, said, target):
        return (said - target - self.by).square().mean()


def rnn(seed=0):
    torch.manual_seed(seed)
    return cw.nn.RNN(1, 1, batch_first=True)


def train(model, **options):
    data = x, x.cumsum(1)
    return fit(model, data, batch_size=8, progress=False, **{"epochs": 2, **options})


# One after the other: who left the others and came back met where they had been.
for seed in range(4):
    train(rnn(), seed=seed)

# The weight of a loss differs at first, and is one weight afterwards.
torch.manual_seed(int(rank))
loss, model = Shift(), rnn(int(rank))
both = [*model.parameters(), *loss.parameters()]
train(model, loss=loss, optimiser=torch.optim.SGD(both, lr=0.1))
told["loss"] = numbers(model, loss)

# Statistics of a batch are of each process' rows, and the same afterwards.
model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(5), nn.Unflatten(1, (5, 1)))
train(model)
told["statistics"] = numbers(model)

# Each has a disk of its own, and the run goes on with the leading one's.
own, whole, model = place / rank, rnn(), rnn()
train(whole, epochs=4)
def kill(event):
    if event.state.step == 3:
        os.kill(os.getpid(), 15)


try:
    train(model, epochs=4, out=own, callbacks=[kill])
except KeyboardInterrupt:
    told["stopped"] = True
model = rnn(5)
train(model, epochs=4, out=own, resume=True)
told["disks"] = [numbers(whole), numbers(model)]

# What the leading one refuses is refused in all.
try:
    train(rnn(), out=place / "0")
except RunError as error:
    told["refused"] = str(error).splitlines()[0]
(place / f"{rank}.json").write_text(json.dumps(told))
"""


def test_trainings_in_one_script(tmp_path):
    """They follow one another, and all processes end with the same."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *start, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [(tmp_path / f"{i}.joined").read_text() for i in (0, 1)] == ["False"] * 2
    zero, one = (json.loads((tmp_path / f"{i}.json").read_text()) for i in (0, 1))
    assert zero == one
    assert zero["stopped"]
    assert zero["disks"][0] == zero["disks"][1]
    assert "holds a run already" in zero["refused"]
    assert not (tmp_path / "1" / "checkpoints").exists()


def test_what_one_decides_is_a_float64():
    """A middle block's loss keeps its digits, alone and in company."""
    assert Group().led(0.1) == 0.1
    assert Group().told(lambda: 1e39) == 1e39
