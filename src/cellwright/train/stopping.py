"""Let Ctrl-C and a polite kill end a run between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what schedulers and ``torchrun`` send to who is to end."""


@contextmanager
def stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Catch the first signal to stop; the second one interrupts at once, as ever.

    Yields:
        A function that says whether somebody asked to stop. Outside the main thread
        Python delivers no signals, and it is always False.

    Raises:
        KeyboardInterrupt: Somebody asked when no step was left to stop behind.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    former = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        asked.set()
        signal.signal(number, former[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number in SIGNALS:
            signal.signal(number, former[number])
    if asked.is_set():
        raise KeyboardInterrupt
