"""Sizes of a person's module, found from its weights, and whether they all fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import ZERO, Size
from cellwright.nn.torch_weights import split_suffix

from .calls import CompareError
from .matching import Match, labels


def find_sizes(
    module: nn.Module,
    graph: Graph,
    matched: Match,
    weights: Mapping[str, Tensor],
    given: Mapping[str, int],
) -> dict[str, int]:
    """Return a cell's named sizes: given, or the module's own, or its weights'.

    Raises:
        CompareError: naming the weights that have no equal parts, or the sizes that
            nothing tells.
    """
    _check_parts(module, matched, weights)
    # The module's word comes first: weights of another cell would tell another size.
    known = {**_attributes(module, ("input_size", "hidden_size")), **given}
    shapes = {p.name: p.shape for p in graph.parameters}
    lowest = split_suffix(next(iter(matched), ""))[1]
    lines: list[tuple[Size, int]] = []
    for to, sources in matched.items():
        bare, suffix = split_suffix(to)
        for source in sources if suffix == lowest else ():
            found = list(weights[source.piece.source].shape)
            if not found or len(found) != len(shapes[bare]):
                continue
            lines.append((shapes[bare][0], found[0] // source.piece.parts))
            if not source.columns:
                lines += zip(shapes[bare][1:], found[1:], strict=True)
                continue
            columns = [shapes[split_suffix(name)[0]][1] for name in source.columns]
            lines.append((sum(columns, start=ZERO), found[1]))
    derived = {s.name for s in graph.sizes if s.derived is not None}
    # Twice, because a size may follow from one that a later line tells.
    for size, value in (*lines, *lines):
        for name, number in _solve(size, value, known):
            if name not in derived:
                known.setdefault(name, number)
    needed = ["input_size", "hidden_size"]
    needed += [s.name for s in graph.sizes if s.default is None and s.derived is None]
    known = {**_attributes(module, needed), **known}
    for declared in graph.sizes:
        size = declared.derived
        if size and declared.name in needed and size.names <= known.keys():
            known.setdefault(declared.name, size.evaluate(known))
    if missing := [name for name in dict.fromkeys(needed) if name not in known]:
        said = ", ".join(f"{name}=..." for name in missing)
        raise CompareError(
            f"{type(module).__name__}: neither its weights nor its attributes tell "
            f"{' and '.join(missing)}: write {said}"
        )
    return known


def _attributes(module: nn.Module, names: Sequence[str]) -> dict[str, int]:
    """Return a module's attributes that can be sizes."""
    found = {name: getattr(module, name, None) for name in names}
    return {n: v for n, v in found.items() if type(v) is int and v > 0}


def _check_parts(
    module: nn.Module, matched: Match, weights: Mapping[str, Tensor]
) -> None:
    """Raise CompareError with every weight whose rows are not as many for each gate."""
    pieces = [source.piece for sources in matched.values() for source in sources]
    faults: list[str] = []
    for name, parts in dict.fromkeys((p.source, p.parts) for p in pieces):
        shape = list(weights[name].shape)
        if parts == 1 or (shape and shape[0] % parts == 0):
            continue
        rows = f"{shape[0]} rows are" if shape else "one number is"
        faults.append(
            f"{name} is {shape}: {rows} no {parts} equal parts; the cell has {parts} "
            f"gates in it: {', '.join(labels(name, matched))}"
        )
    if faults:
        lines = "\n  ".join(faults)
        raise CompareError(f"{type(module).__name__}: gates do not fit\n  {lines}")


def _solve(size: Size, value: int, known: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the one unknown name of ``size = value``, if it comes out whole."""
    unknown = [name for name in size.names if name not in known]
    if len(unknown) != 1 or any(e < 0 for m, _ in size.terms for _, e in m):
        return []
    name = unknown[0]
    rest = size.evaluate({**known, name: 0})
    slope = size.evaluate({**known, name: 1}) - rest
    number, left = divmod(value - rest, slope) if slope else (0, 1)
    fits = not left and number > 0
    if fits and size.evaluate({**known, name: number}) == value:
        return [(name, number)]
    return []


def check_shapes(
    matched: Match,
    weights: Mapping[str, Tensor],
    shapes: Mapping[str, Sequence[int]],
    module: str,
    sizes: Mapping[str, Any],
) -> None:
    """Raise CompareError with every weight whose shape is not the cell's.

    Args:
        matched: where each of the cell's parameters stands.
        weights: the module's parameters.
        shapes: of the cell's parameters.
        module: the module in words, for the message.
        sizes: the named sizes, for the message.
    """
    faults: list[str] = []
    for to, sources in matched.items():
        for source in sources:
            name, parts = source.piece.source, source.piece.parts
            has = list(weights[name].shape)
            widths = [shapes[column][1] for column in source.columns]
            needs = list(shapes[to])
            needs[0] *= parts
            needs[1:] = [sum(widths)] if widths else needs[1:]
            if has != needs:
                faults.append(f"{name} is {has}, and {needs} to hold {to}")
    if faults:
        listed = ", ".join(f"{name}={value}" for name, value in sizes.items())
        lines = "\n  ".join(dict.fromkeys(faults))
        raise CompareError(f"{module}: shapes do not fit for {listed}\n  {lines}")
