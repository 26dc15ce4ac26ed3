"""Tests of `cellwright bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cellwright.bench import kinds, machine, measure
from cellwright.bench import run as runs
from command_runs import Run
from made_up_results import row


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work."""
    for module in (machine, runs):
        monkeypatch.setattr(module, "others_at_work", lambda: 0.0)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are made up."""
    monkeypatch.setattr(kinds, "row", lambda s, _: row(s.case, s.what, s.shape))


def test_own_cell_is_measured(run: Run, tmp_path: Path, monkeypatch):
    """A file of one's own has times beside the reference and our LSTM, and files."""
    monkeypatch.setattr(measure, "TURN", 0.0)
    monkeypatch.setattr(runs, "QUICK_TURNS", 1)
    (tmp_path / "my.cell").write_text("extends lstm\nf = 1 - i\n", encoding="utf-8")
    result = run("bench", "my.cell", "--quick")

    assert result.status == 0, result.err
    assert "my, forward and backward, 2 rows" in result.out
    assert "our LSTM, per multiply-add" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    assert "2/5 my, forward, B=1 T=100 I=64 H=64" in result.err
    assert "In runs/bench: results.json, results.md, my.png" in result.err
    assert (tmp_path / "runs/bench/my.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_what_the_file_has(run: Run, tmp_path: Path, made_up):
    """--json prints the results, and nothing else."""
    result = run("bench", "--case", "cifg", "--quick", "--json", "--out", "here")
    found = json.loads(result.out)

    text = (tmp_path / "here/results.json").read_text(encoding="utf-8")
    assert found == json.loads(text)
    assert {each["case"] for each in found["rows"]} == {"limit", "cifg"}


def test_interrupt_keeps_what_was_measured(run: Run, tmp_path, made_up, monkeypatch):
    """Ctrl-C says where the rows are, and the same command ends the run."""
    real, done = kinds.row, []

    def stopping(setting: Any, turns: int) -> Any:
        if done:
            raise KeyboardInterrupt
        done.append(setting)
        return real(setting, turns)

    monkeypatch.setattr(kinds, "row", stopping)
    arguments = ["bench", "--case", "cifg", "--quick"]
    stopped = run(*arguments)
    assert stopped.status == 130
    assert "kept in runs/bench, and the same command goes on" in stopped.err
    monkeypatch.setattr(kinds, "row", real)
    ended = run(*arguments)

    assert ended.status == 0
    assert ended.err.startswith("2/")


def test_a_busy_machine_is_refused(run: Run, tmp_path, made_up, monkeypatch):
    """Status 2, the share and the way round it; --anyway is in the table."""
    for module in (machine, runs):
        monkeypatch.setattr(module, "others_at_work", lambda: 0.5)
    refused = run("bench", "--case", "cifg", "--quick")
    assert refused.status == 2
    assert "others take 50% of its cores" in refused.err
    assert "--anyway" in refused.err
    measured = run("bench", "--case", "cifg", "--quick", "--anyway")

    assert measured.status == 0
    assert "while others were at work on it" in " ".join(measured.out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "lstn"], "did you mean 'lstm'?"),
        (["no.cell"], "no.cell"),
        (["--threads", "0"], "--threads 1"),
        (["gru", "--case", "gru"], "called so"),
        (["slstm", "--set", "heads"], "--set heads=8"),
    ],
)
def test_bad_use_is_told(run: Run, made_up, arguments: list[str], said: str):
    """What cannot be measured is refused with the likely fix."""
    result = run("bench", *arguments)

    assert result.status == 2
    assert said in result.err
    assert result.out == ""


def test_sizes_of_a_cell_reach_it(run: Run, monkeypatch):
    """--set gives what the cell has no default for; without it the message says so."""
    monkeypatch.setattr(measure, "TURN", 0.0)
    monkeypatch.setattr(runs, "QUICK_TURNS", 1)
    refused = run("bench", "lstm_proj", "--quick", "--out", "a")
    assert refused.status == 2
    assert "proj_size" in refused.err
    result = run("bench", "lstm_proj", "--quick", "--set", "proj_size=8", "--out", "b")

    assert result.status == 0, result.err
    assert "lstm_proj, forward, 2 rows" in result.out


def test_a_cell_that_leaves_its_input_no_choice_is_measured(run: Run, monkeypatch):
    """A cell with a number as its input has one feature, whatever its units."""
    monkeypatch.setattr(kinds, "row", lambda s, _: row(s.case, s.what, s.shape))
    text = "input x\nstate h [hidden_size]\nweight w [hidden_size]\noutput h'\n"
    Path("thin.cell").write_text(f"{text}h' = tanh(w * x + h)\n", encoding="utf-8")
    result = run("bench", "thin.cell", "--quick")

    assert result.status == 0, result.err
    assert "B=16 T=100 I=1 H=64" in result.out
