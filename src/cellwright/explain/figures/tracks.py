"""Where wires turn between two columns: each on a track of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .wiring import Source

TRACK = 10
_APART = 6
"""Two stretches that are nearer than this are one to the eye."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A value that changes its height between two columns.

    Args:
        source: the value.
        enter: the height at which it comes.
        leave: the heights at which it goes on.
        part: 1 for the second of two turns of one value.
    """

    source: Source
    enter: float
    leave: tuple[float, ...]
    part: int = 0

    @property
    def span(self) -> tuple[float, float]:
        """The heights between which its vertical stretch is."""
        heights = (self.enter, *self.leave)
        return min(heights), max(heights)


def tracks(turns: Sequence[Turn]) -> list[tuple[Turn, int]]:
    """Return turns with their tracks, counted from the left.

    No two stretches lie on one another. A value whose stretches would, on any track,
    turns twice.

    Args:
        turns: those between two columns, one a value.
    """
    turns = _without_circles(list(turns))
    left: list[Turn] = []
    while turns:
        free = [t for t in turns if not any(_before(o, t) for o in turns if o is not t)]
        # Of those that may come next, the one that crosses the others least.
        free = free or turns
        best = min(free, key=lambda t: sum(_cost(t, o) - _cost(o, t) for o in turns))
        left.append(best)
        turns.remove(best)
    placed: list[tuple[Turn, int]] = []
    for turn in left:
        low, high = turn.span
        track = 0
        for other, at in placed:
            below, above = other.span
            if (below < high + _APART and low < above + _APART) or _before(other, turn):
                track = max(track, at + 1)
        placed.append((turn, track))
    return placed


def _before(one: Turn, other: Turn) -> bool:
    """Whether a turn has to be left of another, lest they lie on one another."""
    if one.source == other.source:
        return one.part < other.part
    return any(abs(one.enter - height) < _APART for height in other.leave)


def _cost(one: Turn, other: Turn) -> int:
    """Return how often two turns cross when the first is left of the other."""
    low, high = other.span
    own_low, own_high = one.span
    crossed = sum(low < height < high for height in one.leave)
    return crossed + (own_low < other.enter < own_high)


def _without_circles(turns: list[Turn]) -> list[Turn]:
    while True:
        circle = _circle(turns)
        if circle is None:
            return turns
        turn = next(
            (t for t in circle if t.part == 0 and not _is_split(t, turns)), None
        )
        if turn is None:
            return turns
        taken = [h for t in turns for h in (t.enter, *t.leave)]
        middle = _free_height(turn, taken)
        turns.remove(turn)
        turns.append(replace(turn, leave=(middle,)))
        turns.append(replace(turn, enter=middle, part=1))


def _is_split(turn: Turn, turns: Sequence[Turn]) -> bool:
    return sum(other.source == turn.source for other in turns) > 1


def _free_height(turn: Turn, taken: Sequence[float]) -> float:
    """Return a height between a turn's ends that no stretch has."""
    low, high = turn.span
    middle = (low + high) / 2
    for distance in range(0, 2000, 2):
        for height in (middle + distance, middle - distance):
            if all(abs(height - other) >= _APART for other in taken):
                return height
    return middle


def _circle(turns: Sequence[Turn]) -> list[Turn] | None:
    """Return turns each of which has to be left of the next, all in a circle."""
    state: dict[int, int] = {}
    path: list[int] = []

    def reach(at: int) -> list[Turn] | None:
        state[at] = 1
        path.append(at)
        for to, other in enumerate(turns):
            if to == at or not _before(turns[at], other):
                continue
            if state.get(to) == 1:
                return [turns[p] for p in path[path.index(to) :]]
            if to not in state:
                found = reach(to)
                if found:
                    return found
        path.pop()
        state[at] = 2
        return None

    for at in range(len(turns)):
        if at not in state:
            found = reach(at)
            if found:
                return found
    return None
