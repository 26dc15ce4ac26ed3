"""Tests of the command as a process: a closed pipe, Ctrl-C, ``python -m``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_runs import write_series

COMMAND = [sys.executable, "-m", "cellwright"]


def test_closed_pipe_is_silent():
    """A reader that has seen enough causes no message."""
    read, written = os.pipe()
    os.close(read)
    result = subprocess.run(
        [*COMMAND, "cells"], stdout=written, stderr=subprocess.PIPE, check=False
    )
    os.close(written)

    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize(
    "line", ["--help", "cells", "show lstm", "diff lstm gru", "cache", "show --help"]
)
def test_what_reads_text_does_without_torch(line: str):
    """A command that needs no numbers answers at once: it imports no torch."""
    program = (
        "import sys; from cellwright.cli.main import main; main(sys.argv[1:]); "
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *line.split()], capture_output=True, check=False
    )

    assert result.returncode == 0


def test_interrupt_while_torch_is_imported_is_told_in_a_word(tmp_path: Path):
    """Ctrl-C before a command has begun leaves no traceback."""
    planted = tmp_path / "torch"
    planted.mkdir()
    # A signal itself may be handled a line later, when the import is over.
    (planted / "__init__.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    result = subprocess.run(
        [*COMMAND, "train", "sunspots"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )

    assert (result.returncode, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_says_how_to_go_on(tmp_path: Path, asked: signal.Signals):
    """Ctrl-C and a polite kill leave a checkpoint, and say that --resume goes on."""
    write_series(tmp_path / "load.csv")
    arguments = ["train", "series", "load.csv", "--column", "y", "--hidden-size", "2"]
    arguments += ["--batch-size", "8", "--epochs", "50", "--patience", "50"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("epoch")
    process.send_signal(asked)
    out, err = process.communicate()

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "--resume" in err
    assert list(tmp_path.glob("runs/*/checkpoints/*.json"))
