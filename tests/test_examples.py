"""What `examples/` shows runs, and learns."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = {"spiking": {"lif": 98, "izhikevich": 93}}
"""The least share of right answers that an example reaches, in percent."""
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_learns(path: Path, tmp_path: Path):
    """Its last line is the loss before and after, which is a tenth at most."""
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"loss ([0-9.]+) -> ([0-9.]+)", line)
    assert found is not None, line
    before, after = map(float, found.groups())
    assert after < before / 10
    for name, least in RIGHT.get(path.stem, {}).items():
        said = re.search(rf"^{name}: ([0-9.]+)% right$", done.stdout, re.MULTILINE)
        assert said is not None, done.stdout
        assert float(said[1]) >= least
    assert not list(tmp_path.iterdir())  # nothing is left where it was run
