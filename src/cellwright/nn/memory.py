"""What a layer keeps for its backward pass: ``memory="store"`` or ``"recompute"``."""

from __future__ import annotations

from typing import get_args

from cellwright.autograd import Memory

from .errors import OptionError

MODES: tuple[Memory, ...] = get_args(Memory)


def memory_mode(owner: str, value: object) -> Memory:
    """Return a mode that a person gave.

    Raises:
        OptionError: for anything but ``"store"`` and ``"recompute"``.
    """
    for mode in MODES:
        if value == mode:
            return mode
    listed = " or ".join(map(repr, MODES))
    raise OptionError(f"{owner}: memory is {value!r}, {listed}")


def memory_asked(owner: str, value: object) -> list[str]:
    """Return in words what torch.nn has not of a mode that a person gave."""
    mode = memory_mode(owner, value)
    return [] if mode == "store" else [f"memory={mode!r}"]
