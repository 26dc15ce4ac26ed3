import errno
import signal
import subprocess
import sys

import pytest

from cellwright.train import LockWarning, RunError
from cellwright.train.lock import locked

from .conftest import train_tiny

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fcntl there")

HOLDER = """
import sys
from pathlib import Path
from cellwright.train.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path):
    """A folder in use is refused by name; kill -9 gives it back."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="is in use") as caught:
            train_tiny(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert not (tmp_path / "config.json").exists()
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
    with locked(tmp_path):
        pass


def test_file_system_without_locks(tmp_path, monkeypatch):
    """Where nothing can be locked the run goes on, and that is told."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("cellwright.train.lock.fcntl.flock", refuse)
    with pytest.warns(LockWarning, match="not implemented"), locked(tmp_path):
        pass


def test_folder_that_cannot_be_made(tmp_path):
    """A folder below a file is an error with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="below: cannot be written"):
        train_tiny(tmp_path / "file" / "below")
