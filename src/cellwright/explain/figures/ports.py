"""Where wires leave and enter the parts, and how large the parts are for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from .crossings import Order
from .layers import Layers, Link
from .looks import Look, exits, look
from .wiring import Source, Wiring

PORT, _WIDE_PORT = 9, 18
"""Between wires that enter a part; the wider above one with a sign between two others.
"""


def ports(
    wiring: Wiring, found: Layers, order: Order, lanes: set[tuple[int, Link]]
) -> list[dict[Link, tuple[float, float]]]:
    """Return by column where links leave and enter, below the points of the parts.

    Args:
        wiring: of a cell.
        found: its columns.
        order: slots of each column from above; those that enter a part keep it.
        lanes: links, with their columns, that go straight through a part.
    """
    marked = _marked(wiring)
    found_ports: list[dict[Link, tuple[float, float]]] = []
    for place, links in enumerate(found.links):
        where = {slot: at for at, slot in enumerate(order[place])}
        own: dict[Link, tuple[float, float]] = {}
        for slot in {link.end: None for link in links}:
            entering = sorted(
                (k for k in links if k.end == slot),
                key=lambda k: (where[k.start], k.source.port),
            )
            straight = [at for at, k in enumerate(entering) if (place, k) in lanes]
            signs = [(slot.part, k.source) in marked for k in entering]
            # The lowest has its sign below.
            gaps = [_WIDE_PORT if sign else PORT for sign in signs[1:-1]]
            gaps += [PORT] * (len(signs) > 1)
            depths = [0.0, *accumulate(gaps)]
            middle = depths[straight[0]] if straight else depths[-1] / 2
            for depth, link in zip(depths, entering, strict=True):
                own[link] = _leaves(wiring, link), depth - middle
        found_ports.append(own)
    return found_ports


def _leaves(wiring: Wiring, link: Link) -> float:
    if link.start.passing is not None:
        return 0
    return exits(wiring.parts[link.start.part], link.source.port)


def _marked(wiring: Wiring) -> set[tuple[int, Source]]:
    return {(wire.target, wire.source) for wire in wiring.wires if wire.mark}


def looks(
    wiring: Wiring, entered: Sequence[Mapping[Link, tuple[float, float]]]
) -> list[Look]:
    """Return the size of each part, for the wires that enter it.

    Args:
        wiring: of a cell.
        entered: by column, where links leave and enter.
    """
    reach = [[0.0, 0.0] for _ in wiring.parts]
    for links in entered:
        for link, (_, enter) in links.items():
            if link.end.part >= 0:
                own = reach[link.end.part]
                own[:] = max(own[0], -enter), max(own[1], enter)
    for wire in wiring.wires:
        if wire.again:
            reach[wire.target][1] += PORT
    marked = {target for target, _ in _marked(wiring)}
    return [
        look(part, reach[place][0], reach[place][1], place in marked)
        for place, part in enumerate(wiring.parts)
    ]
