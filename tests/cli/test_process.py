"""Tests of the command as a process: a closed pipe, Ctrl-C, ``python -m``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

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


def test_interrupted_training_says_how_to_go_on(tmp_path: Path):
    """Ctrl-C ends with status 130 and says that --resume goes on."""
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
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "--resume" in err
