"""Tests of `cellwright.backends.c.levels`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwright.backends.c import levels
from cellwright.backends.c.errors import LevelError
from cellwright.backends.c.levels import best_level, read_cpu_flags, runnable_levels

V3 = "avx2 fma bmi1 bmi2 f16c movbe abm"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch):
    """Return a function that takes a processor's flags for this machine's."""
    monkeypatch.delenv("CELLWRIGHT_LEVEL", raising=False)

    def pretend(flags: str) -> None:
        monkeypatch.setattr(levels, "_cpu_flags", lambda: frozenset(flags.split()))

    return pretend


@pytest.mark.parametrize(
    ("flags", "runnable"),
    [
        (f"sse2 {V4}", ["x86-64-v4", "x86-64-v3", "plain"]),
        (V4.replace("avx512dq ", ""), ["x86-64-v3", "plain"]),
        (V4.replace("movbe ", ""), ["plain"]),
        (f"sse2 {V3}", ["x86-64-v3", "plain"]),
        *((V3.replace(flag, ""), ["plain"]) for flag in V3.split()),
        ("", ["plain"]),
    ],
)
def test_levels_follow_from_the_flags(processor, flags: str, runnable: list[str]):
    """A level runs where each flag it needs is there; the best comes first."""
    processor(flags)

    assert [level.name for level in runnable_levels()] == runnable
    assert best_level().name == runnable[0]


def test_flags_are_those_of_the_first_processor(tmp_path: Path):
    """What Linux writes about a processor is read; other lines are not."""
    listing = tmp_path / "cpuinfo"
    listing.write_text(
        "vendor_id\t: GenuineIntel\nvmx flags\t: vnmi ept\n"
        f"flags\t\t: fpu {V3}\n\nflags\t\t: other\n",
        encoding="utf-8",
    )
    assert read_cpu_flags(listing) == frozenset(f"fpu {V3}".split())
    listing.write_text("Features\t: asimd fp16\n", encoding="utf-8")
    assert read_cpu_flags(listing) == frozenset()


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")]
)
def test_other_machines_are_plain(monkeypatch, system: str, machine: str):
    """Where flags are not known, only the compiler's baseline is claimed."""
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(levels, "read_cpu_flags", lambda _: frozenset(V4.split()))
    monkeypatch.setattr(levels, "_cpu_flags", levels._cpu_flags.__wrapped__)

    assert [level.name for level in runnable_levels()] == ["plain"]


def test_level_is_forced_by_the_environment(processor, monkeypatch):
    """CELLWRIGHT_LEVEL chooses; empty, it says nothing."""
    processor(V4)
    monkeypatch.setenv("CELLWRIGHT_LEVEL", "x86-64-v3")
    assert best_level().name == "x86-64-v3"
    monkeypatch.setenv("CELLWRIGHT_LEVEL", "")
    assert best_level().name == "x86-64-v4"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("v4", "is no level\n  fix: take one of x86-64-v4, x86-64-v3, plain"),
        (
            "x86-64-v4",
            "does not report avx512bw, avx512cd, avx512dq, avx512f, avx512vl",
        ),
    ],
)
def test_forced_level_that_cannot_be(processor, monkeypatch, asked: str, said: str):
    """A level that does not exist or does not run is refused, with what helps."""
    processor(V3)
    monkeypatch.setenv("CELLWRIGHT_LEVEL", asked)

    with pytest.raises(LevelError) as caught:
        best_level()
    assert str(caught.value).startswith(f"CELLWRIGHT_LEVEL={asked}: ")
    assert said in str(caught.value)
