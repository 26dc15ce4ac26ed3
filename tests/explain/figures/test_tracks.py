"""Tests of the tracks on which wires turn."""

from itertools import permutations

from cellwright.explain.figures.tracks import Turn, tracks
from cellwright.explain.figures.wiring import Source


def _turn(part: int, enter: float, *leave: float) -> Turn:
    return Turn(Source(part), enter, leave)


def test_turns_that_meet_have_tracks_of_their_own():
    """Two vertical stretches at one height are beside each other."""
    found = dict(tracks([_turn(0, 0, 50), _turn(1, 20, 80)]))
    assert sorted(found.values()) == [0, 1]


def test_turns_that_do_not_meet_share_a_track():
    """Room is not given away."""
    found = dict(tracks([_turn(0, 0, 20), _turn(1, 60, 80)]))
    assert set(found.values()) == {0}


def test_a_value_turns_before_another_one_takes_its_height():
    """Who comes in at a height is gone from there before another one goes out on it."""
    for turns in permutations([_turn(0, 50, 0), _turn(1, 100, 50), _turn(2, 150, 100)]):
        found = {turn.source.part: track for turn, track in tracks(turns)}
        assert found[0] < found[1] < found[2]


def test_two_values_that_change_places_need_a_second_turn():
    """One of them goes half of its way first; no stretch lies on another one."""
    placed = tracks([_turn(0, 0, 50), _turn(1, 50, 0)])
    twice = [turn for turn, _ in placed if turn.source == placed[0][0].source]

    assert len(placed) == 3
    assert len({track for _, track in placed}) == 3
    assert twice
    (first, second) = sorted(
        (t for t, _ in placed if sum(o.source == t.source for o, _ in placed) == 2),
        key=lambda turn: turn.part,
    )
    assert first.leave == (second.enter,)
    assert second.enter not in (0, 50)
