"""Let Ctrl-C end a run between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Catch the first Ctrl-C; the second one interrupts at once, as ever.

    Yields:
        A function that says whether somebody asked to stop. Outside the main thread
        Python delivers no signals, and it is always False.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    former = signal.getsignal(signal.SIGINT)

    def note(number: int, _: FrameType | None) -> None:
        asked.set()
        signal.signal(number, former)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, former)
