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
    raise OptionError(f"{owner}: memory is {listed}; found {value!r}")


def memory_asked(mode: Memory) -> list[str]:
    """Return in words what torch.nn has not of a mode."""
    return [] if mode == "store" else [f"memory={mode!r}"]


class HasMemory:
    """A layer with a mode, which is looked at when it is set."""

    # On the class as well, for layers that come from torch.nn.
    _memory: Memory = "store"

    @property
    def memory(self) -> Memory:
        """What the layer keeps for a backward pass: ``"store"`` or ``"recompute"``."""
        return self._memory

    @memory.setter
    def memory(self, mode: Memory) -> None:
        self._memory = memory_mode(type(self).__name__, mode)
