"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwright.cli.main import main
from command_runs import Result, Run


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Return a function that runs a command in an empty folder, at 80 columns.

    The kernels of whoever runs the tests are out of its reach.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    kernels, temporary = map(tmp_path_factory.mktemp, ("kernels", "temporary"))
    monkeypatch.setenv("CELLWRIGHT_CACHE_DIR", str(kernels))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def command(*arguments: str) -> Result:
        status = main(arguments)
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return command
