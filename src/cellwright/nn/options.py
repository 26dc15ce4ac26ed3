"""What a layer's extra arguments mean: sizes, counts and constants of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cellwright.ir.graph import Graph
from cellwright.language.cell import Cell
from cellwright.language.report import did_you_mean

from .errors import OptionError

Option = int | float | Tensor


@dataclass(frozen=True)
class Options:
    """A layer's extra arguments, sorted by what they are in the cell."""

    counts: dict[str, int]
    sizes: dict[str, int]
    constants: dict[str, Tensor]


def sort_options(cell: Cell, given: Mapping[str, Option]) -> Options:
    """Sort extra arguments into counts, sizes and constants.

    Args:
        cell: declares what each of them is.
        given: the arguments by name.

    Raises:
        OptionError: for a name that the cell has not, or a value that is none.
    """
    graph = cell.graph
    counts = dict(graph.counts)
    sizes = {s.name for s in graph.sizes if s.derived is None}
    constants = {c.name for c in graph.constants}
    options = Options({}, {}, {})
    for name, value in given.items():
        if name in constants:
            options.constants[name] = torch.as_tensor(value, dtype=torch.float64)
        elif name in sizes:
            options.sizes[name] = whole_number(cell.name, name, value)
        elif name in counts:
            options.counts[name] = whole_number(cell.name, name, value)
        else:
            known = [*counts, *sorted(sizes), *sorted(constants)]
            has = f"it has {', '.join(known)}" if known else "it has none"
            close = did_you_mean(name, known)
            text = f"{cell.name} has no size, count or constant {name!r}: {has}."
            raise OptionError(f"{text} {close}".rstrip())
    return options


def whole_number(owner: str, name: str, value: object) -> int:
    """Return a size that a person gave.

    Raises:
        OptionError: when it is not a whole number from 1 on.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{owner}: {name} is {value!r}, a whole number from 1 on")
    return value


def resolve_sizes(
    cell: Cell,
    graph: Graph,
    input_size: int,
    hidden_size: int,
    given: Mapping[str, int],
) -> dict[str, int]:
    """Return every named size of a layer as a whole number.

    Raises:
        OptionError: for a size that is missing, a quotient that is not whole, or an
            input size that the cell derives otherwise.
    """
    sizes = {"input_size": input_size, "hidden_size": hidden_size}
    for declared in graph.sizes:
        if declared.derived is not None:
            continue
        value = given.get(declared.name, declared.default)
        if value is None:
            raise OptionError(
                f"{cell.name} needs the size {declared.name!r}, which has no default: "
                f"write {declared.name}=..."
            )
        sizes[declared.name] = value
    listed = ", ".join(f"{name}={value}" for name, value in sizes.items())
    for size in graph.whole:
        try:
            value = size.evaluate(sizes)
        except ValueError as fault:
            raise OptionError(
                f"{cell.name}: {size} is not a whole number for {listed}"
            ) from fault
        if value < 1:
            raise OptionError(f"{cell.name}: {size} is {value} for {listed}")
    for declared in graph.sizes:
        if declared.name == "input_size" and declared.derived is not None:
            expected = declared.derived.evaluate(sizes)
            if expected != input_size:
                raise OptionError(
                    f"{cell.name}: input_size = {declared.derived} = {expected}, "
                    f"got input_size={input_size} (for {listed})"
                )
    return sizes
