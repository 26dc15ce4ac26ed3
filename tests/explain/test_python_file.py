"""What somebody's Python file does wrong is told with its line, as theirs."""

import re
import sys
from pathlib import Path

import pytest

from cellwright.explain.python_file import TargetError, from_python

RAISES = "def made():\n    raise ValueError\n"
OURS = "import cellwright as cw\n\ncw.cells.load('lstn')\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import torch\nimport nothere\n", r"mine.py:2: .* No module named 'nothere'"),
        ("x = 1\ndef f(:\n", r"mine.py:2: .*found SyntaxError: invalid syntax$"),
        ("\nimport sys\nsys.exit(3)\n", "mine.py:3: .*found SystemExit: 3"),
        ("\nimport sys\nsys.exit()\n", "mine.py:3: .*found SystemExit$"),
        ("class Net:\n  def __init__(self):\n    self.q = no\n", "mine.py:3: .*'no'"),
        ("def Net(width): ...\n", r"mine.py: Net\(\) makes .*missing 1 required"),
        (
            "import raises_here\nNet = raises_here.made\n",
            "raises_here.py:2: .*found ValueError$",
        ),
        (
            "import broken_here\n",
            "broken_here.py:2: mine.py is run .*found SyntaxError",
        ),
        ("import os\nos.chdir('..')\nno\n", "mine.py:3: .*'no' is not defined"),
        ("import sys\nsys.path.clear()\nno\n", "mine.py:3: .*'no' is not defined"),
        ("def __getattr__(name):\n  raise ValueError(name)\n", "mine.py:2: .*: Net"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
):
    """It is not one of the input, and less one of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("raises_here.py").write_text(RAISES, encoding="utf-8")
    Path("broken_here.py").write_text("x = 1\ndef f(:\n", encoding="utf-8")
    Path("mine.py").write_text(text, encoding="utf-8")
    for name in ("raises_here", "broken_here"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(TargetError) as raised:
        from_python(Path("mine.py"), "Net")

    told, fix = str(raised.value).split("\n  fix: ")
    assert fix
    assert re.search(words, told), told
    assert raised.value.__cause__ is not None


def test_an_error_of_ours_keeps_its_own_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One fix is enough, and ours knows more."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(OURS, encoding="utf-8")
    with pytest.raises(TargetError, match=r"mine.py:3: .*UnknownCellError") as raised:
        from_python(Path("mine.py"), "Net")
    assert str(raised.value).count("fix:") == 1
    assert "did you mean 'lstm'?" in str(raised.value)
