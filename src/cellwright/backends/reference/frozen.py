"""Central differences that are exact where a cell stops, replaces or jumps.

A difference quotient cannot see that a gradient is stopped, and it jumps where the cell
does. Frozen, a run is the smooth function whose slope the language defines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from cellwright.ir.graph import Graph

from .ops import TORCH

Key = tuple[int, int]
"""A node and a step."""


class Frozen:
    """Holds, from the first run on, what must not move in later ones.

    - ``surrogate(v, p)`` becomes ``v0 + p - p0``;
    - comparisons, `floor`, the condition of `where` and the quotient of `mod` stay what
      they were: their slope is 0, and a jump would drown everything else;
    - relu, abs, maximum, minimum and row_max are computed as ever, and `crossed` tells
      whether one of them stood on another side of its kink than in the first run.

    The first run must be at the point where the slope is asked for.

    Args:
        moving: nodes whose kinks matter, see `moving_nodes`; all of them by default.
    """

    def __init__(self, moving: Collection[int] | None = None) -> None:
        self._moving = moving
        self._held: dict[Key, tuple[Tensor, ...]] = {}
        self.crossed = torch.tensor(False)

    def again(self) -> None:
        """Start a later run: nothing has crossed a kink yet."""
        self.crossed = torch.tensor(False)

    def covers(self, op: str) -> bool:
        """Whether an op is computed by `value` when a run is frozen."""
        return op in _HELD or op in _SIDES

    def value(self, key: Key, op: str, args: Sequence[Tensor], attr: Any) -> Tensor:
        """Return a node's value, held as it was in the first run."""
        if op in _SIDES:
            if self._moving is not None and key[0] not in self._moving:
                return TORCH[op](args, attr)
            side = _SIDES[op](args, attr).detach()
            (first,) = self._first(key, lambda: (side,))
            self.crossed = self.crossed | (side != first).any()
            return TORCH[op](args, attr)
        return _HELD[op](lambda record: self._first(key, record), args)

    def _first(
        self, key: Key, record: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        if key not in self._held:
            self._held[key] = tuple(value.detach() for value in record())
        return self._held[key]


def moving_nodes(graph: Graph) -> set[int]:
    """Return the nodes that a frozen run's results move with.

    The largest entry in a softmax, for one, only keeps `exp` in range: its gradient is
    stopped, so that its ties are no kinks of the cell.
    """
    stack = [graph.output]
    for state in graph.states:
        stack += (state.first, state.next)
    seen: set[int] = set()
    while stack:
        position = stack.pop()
        if position not in seen:
            seen.add(position)
            node = graph.nodes[position]
            stack += node.args[_UNFELT.get(node.op, 0) :]
    return seen


First = Callable[[Callable[[], tuple[Tensor, ...]]], tuple[Tensor, ...]]


def _surrogate(first: First, args: Sequence[Tensor]) -> Tensor:
    value, proxy = torch.broadcast_tensors(*args)
    held, start = first(lambda: (value, proxy))
    # An unmoved proxy adds nothing, also where inf - inf would be NaN.
    return held + torch.where(proxy == start, 0.0, proxy - start)


def _where(first: First, args: Sequence[Tensor]) -> Tensor:
    (condition,) = first(lambda: (args[0] != 0,))
    return torch.where(condition, args[1], args[2])


def _mod(first: First, args: Sequence[Tensor]) -> Tensor:
    dividend, divisor = args
    rest = torch.remainder(dividend, divisor)
    (quotient,) = first(lambda: (((dividend - rest) / divisor).round(),))
    return dividend - quotient * divisor


def _jump(op: str) -> Callable[[First, Sequence[Tensor]], Tensor]:
    return lambda first, args: first(lambda: (TORCH[op](args, None),))[0]


_HELD: dict[str, Callable[[First, Sequence[Tensor]], Tensor]] = {
    "surrogate": _surrogate,
    "where": _where,
    "mod": _mod,
    **{op: _jump(op) for op in ("lt", "le", "gt", "ge", "eq", "ne", "floor")},
}

_UNFELT = {"surrogate": 1, "where": 1, "floor": 1}
_UNFELT |= dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), 2)
"""How many first arguments change nothing when they move, because they are held."""


def _larger(args: Sequence[Tensor], _: Any) -> Tensor:
    # No difference of the two: -inf less -inf is NaN.
    return (args[0] > args[1]).int() - (args[0] < args[1]).int()


def _largest(args: Sequence[Tensor], groups: int | None) -> Tensor:
    parts = args[0].unflatten(-1, (groups or 1, -1))
    return parts == parts.amax(-1, keepdim=True)


_SIDES: dict[str, Callable[[Sequence[Tensor], Any], Tensor]] = {
    "relu": lambda args, _: args[0].sign(),
    "abs": lambda args, _: args[0].sign(),
    "maximum": _larger,
    "minimum": _larger,
    "row_max": _largest,
}
