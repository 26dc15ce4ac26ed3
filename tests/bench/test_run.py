"""Tests of a run: a busy machine is refused, an interrupted run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cellwright.bench import kinds, machine, run
from cellwright.bench.errors import BenchError
from cellwright.bench.registry import CASES
from cellwright.bench.run import Plan, bench, plan
from made_up_results import row


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work, and rows are made up."""
    monkeypatch.setattr(machine, "others_at_work", lambda: 0.0)
    monkeypatch.setattr(run, "others_at_work", lambda: 0.0)
    monkeypatch.setattr(kinds, "row", lambda s, _: row(s.case, s.what, s.shape))


def quick(*names: str) -> Plan:
    """Return a plan of few rows."""
    return plan(cases=names, quick=True)


def test_all_rows_are_measured(tmp_path: Path):
    """Each setting has its row, in order; nothing is left in the folder."""
    wanted = quick("cifg", "stream_lstm")
    told: list[Any] = []
    found = bench(wanted, tmp_path, report=lambda *now: told.append(now))

    keys = [[r[n] for n in ("case", "what", *"BTIH")] for r in found["rows"]]
    assert keys == [setting.key for setting in wanted.settings]
    assert list(tmp_path.iterdir()) == []
    assert told[0][:2] == (0, len(keys))
    assert told[-1] == (len(keys), len(keys), "")
    assert found["machine"]["turns"] == run.QUICK_TURNS
    assert found["machine"]["torch"] == torch.__version__
    assert found["machine"]["anyway"] is False


def test_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows that are measured stay; the same call measures the others alone."""
    wanted, real, done = quick("cifg"), kinds.row, []

    def stopping(setting: Any, turns: int) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(setting)
        return {**real(setting, turns), "others": 0.02}

    monkeypatch.setattr(kinds, "row", stopping)
    with pytest.raises(KeyboardInterrupt):
        bench(wanted, tmp_path)
    (kept,) = tmp_path.iterdir()
    # As if the machine had gone down within a line.
    with kept.open("a", encoding="utf-8") as file:
        file.write('{"case": "ci')
    monkeypatch.setattr(kinds, "row", real)
    found = bench(wanted, tmp_path)

    assert [row["others"] for row in found["rows"][:3]] == [0.02, 0.02, 0.01]
    assert len(found["rows"]) == len(wanted.settings)
    assert list(tmp_path.iterdir()) == []


def test_other_settings_do_not_go_on_with_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another number of threads, other cases or another cell begin anew."""

    def stop(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(kinds, "row", stop)
    (tmp_path / "a.cell").write_text("extends lstm\nf = 1\n", encoding="utf-8")
    cell = str(tmp_path / "a.cell")
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        bench(plan([cell], quick=True), out, threads=1)
    (tmp_path / "a.cell").write_text("extends lstm\nf = 0.5\n", encoding="utf-8")
    for wanted, threads in (
        (plan([cell], quick=True), 1),
        (plan([cell], quick=True), 2),
        (plan([cell]), 1),
        (quick("cifg"), 1),
    ):
        with pytest.raises(KeyboardInterrupt):
            bench(wanted, out, threads=threads)

    assert len(list(out.iterdir())) == 5


def test_a_busy_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing is measured beside others unless somebody says so; the record does."""
    monkeypatch.setattr(machine, "others_at_work", lambda: 0.4)
    monkeypatch.setattr(run, "others_at_work", lambda: 0.4)
    with pytest.raises(BenchError, match="others take 40% of its cores"):
        bench(quick("cifg"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    found = bench(quick("cifg"), tmp_path, anyway=True)

    assert found["machine"]["anyway"] is True
    assert found["machine"]["others"] == 0.4


def test_threads_are_set_and_given_back(tmp_path: Path, monkeypatch):
    """All contenders have the threads that were asked for, and torch its own again."""
    before, seen = torch.get_num_threads(), set()

    def look(setting: Any, _: int) -> Any:
        seen.add(torch.get_num_threads())
        return row(setting.case, setting.what, setting.shape)

    monkeypatch.setattr(kinds, "row", look)
    found = bench(quick("cifg"), tmp_path, threads=before + 1)

    assert seen == {before + 1} == {found["machine"]["threads"]}
    assert torch.get_num_threads() == before
    with pytest.raises(BenchError, match="--threads 0"):
        bench(quick("cifg"), tmp_path, threads=0)


def test_plans_name_what_they_measure():
    """Own cells alone, cases alone, or all; what is not there is told."""
    assert [case.name for case in plan(["cifg"]).cases] == ["limit", "cifg"]
    assert plan(["cifg"]).cases[1].peers != CASES["cifg"].peers
    assert [case.name for case in plan(cases=["gru", "gru"]).cases] == ["limit", "gru"]
    assert [case.name for case in plan(cases=["lengths"]).cases] == ["lengths"]
    assert plan().cases == tuple(CASES.values())
    assert len(plan(quick=True).settings) < len(plan().settings) / 3
    with pytest.raises(BenchError, match="did you mean 'stream_lstm'"):
        plan(cases=["steam_lstm"])
    with pytest.raises(BenchError, match="2 of what is measured are called so"):
        plan(["lstm"], ["lstm"])


def test_others_are_not_ourselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What this process takes is no reason to refuse; what others take is counted."""
    stat = tmp_path / "stat"
    monkeypatch.setattr(machine, "CPU_TIMES", stat)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100)
    now, own = [0.0], [0.0]
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(machine, "_own_work", lambda: own[0])
    stat.write_text("cpu  100 0 50 900 10 0 5 5 7 7\n", encoding="ascii")
    share = machine.watch()
    now[0], own[0] = 1.0, 1.0
    # 150 ticks of work, of which 100 are ours; idle and guest columns do not count.
    stat.write_text("cpu  220 0 80 950 99 0 5 5 99 99\n", encoding="ascii")

    assert share() == 0.25
