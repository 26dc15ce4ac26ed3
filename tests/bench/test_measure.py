"""Tests of `cellwright.bench.measure`: turns, their order, calls."""

from __future__ import annotations

import itertools
from functools import partial

import pytest

from cellwright.bench import measure
from cellwright.bench.contender import Contender


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that contenders move, and the names of those that ran."""
    now, ran = [0.0], list[str]()

    def contender(name: str, seconds: float, calls: int = 1) -> Contender:
        def run() -> None:
            now[0] += seconds
            ran.append(name)

        return Contender(name, run, calls=calls)

    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(measure.time, "sleep", lambda _: None)
    return contender, ran


def test_everybody_has_a_turn_before_the_next_one(clock):
    """Contenders alternate, in an order that changes and that the seed decides."""
    contender, ran = clock
    contenders = [contender(name, 1.0) for name in "abc"]
    seconds = measure.measured(contenders, 6, seed=1)
    # Without the warm-up: a call that is not timed and one that is, for each turn.
    turns = [name for name, _ in itertools.groupby(ran[-36:])]
    rounds = [tuple(ran[-36 + 6 * i : -30 + 6 * i or None : 2]) for i in range(6)]

    assert seconds == {name: [1.0] * 6 for name in "abc"}
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds), turns
    assert len(set(rounds)) > 1


def test_a_short_call_is_made_often(clock):
    """A turn lasts long enough to be timed, whatever a call takes."""
    contender, ran = clock
    seconds = measure.measured([contender("a", 1e-5), contender("b", 0.5)], 3)

    assert seconds["a"] == [1e-5] * 3
    assert ran.count("a") > 3 * measure.TURN / 1e-5 / 2
    assert ran.count("b") < 20


def test_time_is_that_of_one_of_the_calls_inside(clock):
    """What makes 1,000 steps a call is told by the step."""
    contender, _ = clock

    assert measure.measured([contender("c", 1.0, calls=1000)], 1) == {"c": [1e-3]}


def test_warm_ups_come_first(clock):
    """Nobody is timed cold."""
    contender, ran = clock
    measure._repeats(contender("a", 1.0))

    assert ran == ["a"] * (measure.WARM_UPS + 1)
    assert partial(measure._repeats, contender("a", 1.0))() == 1


def test_a_turn_begins_when_nothing_spins(monkeypatch: pytest.MonkeyPatch):
    """As long as threads of the turn before take time, nobody else's begins."""
    slept: list[float] = []
    taken = iter([0.0, 0.004, 0.004, 0.008, 0.008, 0.0081])
    monkeypatch.setattr(measure.time, "sleep", slept.append)
    monkeypatch.setattr(measure.time, "process_time", lambda: next(taken))
    measure.settle()

    assert slept == [measure.LOOK] * 3


def test_what_never_settles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """A thread of somebody's own that always runs does not stop a benchmark."""
    slept: list[float] = []
    taken = itertools.count()
    monkeypatch.setattr(measure.time, "sleep", slept.append)
    monkeypatch.setattr(measure.time, "process_time", lambda: float(next(taken)))
    measure.settle()

    assert len(slept) == measure.LOOKS
