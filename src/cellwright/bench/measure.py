"""Time contenders in turn, in one process."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from .contender import Contender

WARM_UPS = 3
TURN = 0.02
"""A turn takes so many seconds, or one call."""
LOOK = 0.004
"""Seconds between two looks at whether threads still spin."""
LOOKS = 50
"""At most so many; ONNX Runtime's threads spin for 35 ms, OpenMP's for 5."""


def measured(
    contenders: Sequence[Contender], turns: int, seed: int = 0
) -> dict[str, list[float]]:
    """Return the seconds of one call of each contender, turn by turn.

    All of them have a turn before any of them has the next one; their order within is
    another each time. A turn begins when no thread of the one before spins any more,
    with a call that is not timed.

    Args:
        contenders: who.
        turns: how many each of them has.
        seed: of the order.
    """
    repeats = [_repeats(contender) for contender in contenders]
    seconds: dict[str, list[float]] = {each.name: [] for each in contenders}
    order = random.Random(seed)
    places = list(range(len(contenders)))
    for _ in range(turns):
        order.shuffle(places)
        for place in places:
            contender, times = contenders[place], repeats[place]
            settle()
            contender.run()
            taken = _timed(contender, times) / (times * contender.calls)
            seconds[contender.name].append(float(f"{taken:.5g}"))
    return seconds


def settle() -> None:
    """Wait until no thread of this process runs.

    Threads that have nothing to do spin for a while, each kind for its own; they would
    take a core from whoever has the next turn.
    """
    for _ in range(LOOKS):
        before = time.process_time()
        time.sleep(LOOK)
        if time.process_time() - before < LOOK / 4:
            return


def _repeats(contender: Contender) -> int:
    """Return how many calls make a turn, once the contender is warm."""
    for _ in range(WARM_UPS):
        contender.run()
    times = 1
    while (taken := _timed(contender, times)) < TURN / 2:
        times = max(2 * times, int(times * TURN / max(taken, TURN / 1000)))
    return max(1, round(times * TURN / taken)) if times > 1 else 1


def _timed(contender: Contender, times: int) -> float:
    run = contender.run
    begin = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - begin
