from contextlib import contextmanager

import numpy as np
import pytest

from cellwright.tasks import Series
from cellwright.train import series

TINY = {
    "history": 4,
    "horizon": 3,
    "hidden_size": 3,
    "batch_size": 24,
    "epochs": 3,
    "num_layers": 2,
    "dropout": 0.3,
    "average": 0.98,
    "learning_rate": 3e-3,
}
"""Settings of a run of a second; dropout makes it depend on the randomness."""

STEPS = 12
"""Steps of that run: 3 epochs of 4 batches of its 94 training windows."""


def wave(rows=143, seed=0):
    """Return a noisy wave beside an input of pure noise."""
    noise = np.random.default_rng(seed).normal(size=(rows, 2))
    noise[:, 0] += 3 * np.sin(2 * np.pi * np.arange(rows) / 12)
    return Series("wave", ("y", "x"), 100 + 10 * noise)


def train_tiny(out, data=None, **options):
    """Train the tiny run into a folder."""
    data = wave() if data is None else data
    return series(data, out=out, progress=False, **{**TINY, **options})


def result_bytes(folder):
    """Return every file of a result that must not depend on interruptions."""
    names = ("curves.csv", "curves.png", "forecast.png", "metrics.json")
    return {n: (folder / n).read_bytes() for n in (*names, "model.safetensors")}


@pytest.fixture
def stop_after(monkeypatch):
    """Make the next runs stop, as by Ctrl-C, after so many steps each."""

    def arrange(steps):
        @contextmanager
        def counting():
            left = steps

            def should_stop():
                nonlocal left
                left -= 1
                return left == 0

            yield should_stop

        for room in ("run", "fitting"):
            monkeypatch.setattr(f"cellwright.train.{room}.stop_between_steps", counting)

    return arrange


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out the drawing, most of a tiny run's time, where nobody looks at it."""
    for name in ("curve_picture", "forecast_picture"):
        monkeypatch.setattr(f"cellwright.train.series_job.{name}", lambda *_: b"")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return the folder of one finished tiny run; tests must not change it."""
    return train_tiny(tmp_path_factory.mktemp("runs") / "finished").folder
