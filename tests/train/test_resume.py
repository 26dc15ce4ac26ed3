import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cellwright.errors import CellwrightError
from cellwright.train import (
    CheckpointWarning,
    DivergedError,
    InterruptedRunError,
    RunError,
    SettingsError,
    open_run,
)

from .conftest import STEPS, result_bytes, train_tiny, wave

PROGRAM = """
import sys
import torch
from cellwright.train import sunspots
torch.set_num_threads(1)
sunspots(history=5, horizon=4, hidden_size=8, epochs=4, batch_size=64, seed=3,
         num_layers=2, dropout=0.2, out=sys.argv[1], resume=True,
         checkpoint_seconds=float(sys.argv[2]))
"""


@pytest.mark.parametrize("every", [1, 3, 5])
def test_stopping_after_every_few_steps_changes_no_bit(
    tmp_path, finished, stop_after, every
):
    """However often a run is stopped and resumed, its result has the same bits."""
    stop_after(every)
    stops = 0
    while not (tmp_path / "metrics.json").exists():
        try:
            train_tiny(tmp_path, resume=True)
        except InterruptedRunError:
            stops += 1
    assert stops == (STEPS if every == 1 else STEPS // every)
    assert result_bytes(tmp_path) == result_bytes(finished)


def test_resumed_from_the_checkpoint_before(tmp_path, finished, stop_after):
    """A damaged checkpoint costs its steps; the one before it gives the same bits."""
    stop_after(5)
    for _ in range(2):
        with pytest.raises(InterruptedRunError):
            train_tiny(tmp_path, resume=True)
    newest = tmp_path / "checkpoints" / "000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    stop_after(STEPS + 1)
    with pytest.warns(CheckpointWarning, match=r"000002\.safetensors: damaged"):
        train_tiny(tmp_path, resume=True)
    assert result_bytes(tmp_path) == result_bytes(finished)


def test_seed_decides(tmp_path, finished):
    """Another seed gives another model, and the caller's random numbers stay his."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_tiny(tmp_path / "other", seed=1)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(6)
    train_tiny(tmp_path / "same")
    weights = [
        (folder / "model.safetensors").read_bytes()
        for folder in (finished, tmp_path / "same", tmp_path / "other")
    ]
    assert weights[0] == weights[1] != weights[2]


def test_finished_run_is_only_opened(finished):
    """Resuming a finished run shows its result and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    run = train_tiny(finished, resume=True)
    assert run == open_run(finished)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_lost_metrics_are_made_again(tmp_path, finished):
    """A run killed while it wrote its results writes them on resumption."""
    train_tiny(tmp_path)
    for name in ("metrics.json", "forecast.png"):
        (tmp_path / name).unlink()
    with pytest.raises(RunError, match="not finished"):
        open_run(tmp_path)
    train_tiny(tmp_path, resume=True)
    assert result_bytes(tmp_path) == result_bytes(finished)


def test_only_the_same_run_resumes(tmp_path, finished):
    """Other settings, other data, no resume or foreign files: refused, with reason."""
    with pytest.raises(RunError, match="holds a run already"):
        train_tiny(finished)
    with pytest.raises(SettingsError, match="epochs: 3 there, 4 here"):
        train_tiny(finished, epochs=4, resume=True)
    with pytest.raises(SettingsError, match="cell: "):
        train_tiny(finished, cell="gru", resume=True)
    with pytest.raises(RunError, match="began with other data"):
        train_tiny(finished, wave(seed=1), resume=True)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match=r"no run: thesis\.txt"):
        train_tiny(tmp_path, resume=True)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@contextmanager
def started(out: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Begin or resume a run in a process of its own, which ends with the block."""
    command = [sys.executable, "-c", PROGRAM, str(out), str(seconds)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_checkpoint(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a run has something to lose."""
    while not list(out.glob("checkpoints/*.json")) and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.long
def test_killed_at_random_moments(tmp_path):
    """After kill -9 at any moment the run resumes to the uninterrupted bits."""
    moments = random.Random(7)
    killed = tmp_path / "killed"
    with started(tmp_path / "whole", 1000.0) as whole:
        for _ in range(3):
            with started(killed, 0.0) as process:
                wait_for_checkpoint(killed, process)
                time.sleep(moments.uniform(0.0, 0.2))
                process.kill()
                assert process.wait() == -signal.SIGKILL
        with started(killed, 0.0) as process:
            told = process.communicate()[1].decode()
            assert (process.returncode, "damaged" in told) == (0, False), told
        told = whole.communicate()[1].decode()
        assert whole.returncode == 0, told
    assert result_bytes(killed) == result_bytes(tmp_path / "whole")
    assert not list(killed.rglob("*.part"))


def test_interrupt_leaves_a_resumable_run(tmp_path):
    """Ctrl-C writes a checkpoint at once and says how to go on."""
    with started(tmp_path / "run", 0.0) as process:
        wait_for_checkpoint(tmp_path / "run", process)
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1].decode()
        assert process.returncode != 0
    assert "resume=True" in told
    assert list((tmp_path / "run" / "checkpoints").glob("*.json"))


BEGINNING = """input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
output h'
"""
FED = BEGINNING.replace("state", "input z [hidden_size]\nstate") + (
    "h' = tanh(W @ x + z + h)\n"
)
ENDLESS = BEGINNING + "h' = exp(W @ x + h + 1e9)\n"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cell": FED}, SettingsError, "cell reads z too"),
        ({"cell": ENDLESS}, DivergedError, "not finite"),
        ({"cell_options": {"haeds": 2}}, CellwrightError, "haeds"),
    ],
)
def test_what_cannot_begin_leaves_nothing(tmp_path, options, error, words):
    """A cell or an option that cannot work is refused before there is a folder."""
    with pytest.raises(error, match=words):
        train_tiny(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_start_without_checkpoint_is_replaced(tmp_path, finished):
    """A config alone is no run to lose; a file beside it still is."""
    shutil.copy(finished / "config.json", tmp_path)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match=r"no run: thesis\.txt"):
        train_tiny(tmp_path)
    (tmp_path / "thesis.txt").unlink()
    assert train_tiny(tmp_path, epochs=1).config["settings"]["epochs"] == 1


def test_file_in_place_of_the_folder(tmp_path):
    """A result folder that is a file is refused as one."""
    (tmp_path / "run").write_text("precious")
    with pytest.raises(RunError, match="run: is a file"):
        train_tiny(tmp_path / "run")
