import pytest

from cellwright.train import series

from .conftest import TINY, wave

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_line_now_and_then_without_a_terminal(tmp_path, capsys):
    """Without a terminal some lines on standard error report, and no bar."""
    series(wave(), out=tmp_path, **{**TINY, "epochs": 10})
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"epoch {n}/10" for n in (2, 4, 6, 8, 10)
    ]
    assert "middle block" in lines[0]
    assert told.out == ""


def test_silence(tmp_path, capsys):
    """With progress=False nothing is written to the terminal."""
    series(wave(), out=tmp_path, progress=False, **TINY)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(tmp_path, capsys, monkeypatch):
    """On a terminal a bar shows steps, loss and the time left."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    series(wave(), out=tmp_path, **TINY)
    told = capsys.readouterr().err
    assert "12/12" in told
    assert "loss" in told
    assert "left" in told
