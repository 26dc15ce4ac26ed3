"""The order of the slots in each column, so that few wires cross."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from .layers import Layers, Link, Slot
from .wiring import Wire

Order = list[list[Slot]]
_SWEEPS = 10
_MOST_LANES = 3


def ordered(layers: Layers, lanes: Sequence[Sequence[Wire]]) -> tuple[Order, list[int]]:
    """Return the slots of each column from above, and the order of the lanes.

    Args:
        layers: the columns.
        lanes: ways that keep to the top, one below the other.
    """
    best: tuple[int, Order, list[int]] | None = None
    for chosen in _orders_of_lanes(len(lanes)):
        rows = [_slots(layers, lanes[lane]) for lane in chosen]
        for backwards in (False, True):
            order = _begun(layers, rows, backwards)
            count = _reduced(layers, order, len(rows))
            if best is None or count < best[0]:
                best = count, [list(column) for column in order], list(chosen)
    assert best is not None
    return best[1], best[2]


def _orders_of_lanes(count: int) -> Iterator[tuple[int, ...]]:
    if count > _MOST_LANES:
        yield tuple(range(count))
    else:
        yield from permutations(range(count))


def _slots(layers: Layers, way: Sequence[Wire]) -> list[Slot]:
    """Return the slot of a way in each column."""
    found = [layers.ways[way[0]][0]]
    for wire in way:
        found += layers.ways[wire][1:]
    return found


def _begun(layers: Layers, rows: Sequence[Sequence[Slot]], backwards: bool) -> Order:
    order: Order = []
    for place, column in enumerate(layers.columns):
        lanes = [row[place] for row in rows]
        others = [slot for slot in column if slot not in lanes]
        order.append([*lanes, *(reversed(others) if backwards else others)])
    return order


def _reduced(layers: Layers, order: Order, fixed: int) -> int:
    """Sort the slots behind the fixed ones of each column; return what still crosses.

    Sugiyama's sweeps by the means of neighbours, then exchanges of two neighbours.
    """
    best = _total(layers, order), [list(column) for column in order]
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        places = range(1, len(order)) if forward else range(len(order) - 2, -1, -1)
        for place in places:
            _sort(layers, order, place, fixed, forward)
        for place in range(len(order)):
            _exchange(layers, order, place, fixed)
        count = _total(layers, order)
        if count < best[0]:
            best = count, [list(column) for column in order]
    order[:] = best[1]
    return best[0]


def _sort(layers: Layers, order: Order, place: int, fixed: int, forward: bool) -> None:
    links = layers.links[place - 1] if forward else layers.links[place]
    other = order[place - 1] if forward else order[place + 1]
    where = {slot: at for at, slot in enumerate(other)}
    means: dict[Slot, float] = {}
    for at, slot in enumerate(order[place]):
        found = [
            where[link.start if forward else link.end]
            for link in links
            if (link.end if forward else link.start) == slot
        ]
        # What has no neighbour there keeps its place.
        share = at / max(1, len(order[place]) - 1) * max(1, len(other) - 1)
        means[slot] = sum(found) / len(found) if found else share
    order[place][fixed:] = sorted(order[place][fixed:], key=lambda slot: means[slot])


def _exchange(layers: Layers, order: Order, place: int, fixed: int) -> None:
    """Exchange neighbours as long as that takes crossings away."""
    column = order[place]
    near = _neighbours(layers, order, place)
    improved = True
    while improved:
        improved = False
        for at in range(fixed, len(column) - 1):
            one, other = near[column[at]], near[column[at + 1]]
            pairs = list(zip(one, other, strict=True))
            now = sum(_inverted(a, b) for a, b in pairs)
            then = sum(_inverted(b, a) for a, b in pairs)
            if then < now:
                column[at], column[at + 1] = column[at + 1], column[at]
                improved = True


def _neighbours(
    layers: Layers, order: Order, place: int
) -> dict[Slot, tuple[list[int], list[int]]]:
    """Return by slot of a column where its neighbours are, at the left and right."""
    near: dict[Slot, tuple[list[int], list[int]]] = {s: ([], []) for s in order[place]}
    if place > 0:
        where = {slot: at for at, slot in enumerate(order[place - 1])}
        for link in layers.links[place - 1]:
            near[link.end][0].append(where[link.start])
    if place + 1 < len(order):
        where = {slot: at for at, slot in enumerate(order[place + 1])}
        for link in layers.links[place]:
            near[link.start][1].append(where[link.end])
    return near


def _inverted(above: Sequence[int], below: Sequence[int]) -> int:
    return sum(one > other for one in above for other in below)


def _total(layers: Layers, order: Order) -> int:
    return sum(
        _crossings(layers.links[place], order[place], order[place + 1])
        for place in range(len(order) - 1)
    )


def _crossings(
    links: Sequence[Link], left: Sequence[Slot], right: Sequence[Slot]
) -> int:
    one = {slot: at for at, slot in enumerate(left)}
    other = {slot: at for at, slot in enumerate(right)}
    ends = sorted((one[k.start], k.source.port, other[k.end]) for k in links)
    return sum(
        after[2] < before[2] and after[:2] != before[:2]
        for at, before in enumerate(ends)
        for after in ends[at + 1 :]
    )
