"""What a layer's extra arguments mean: sizes, counts and constants of its cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

from cellwright.ir.graph import Graph
from cellwright.ir.sizes import shape_text
from cellwright.language.cell import Cell
from cellwright.language.report import did_you_mean

from .errors import OptionError

ALIKE = 0.75
"""How alike a name has to be to an argument that is no option of the cell."""
Option = int | float | Tensor


@dataclass(frozen=True)
class Options:
    """A layer's extra arguments, sorted by what they are in the cell."""

    counts: dict[str, int]
    sizes: dict[str, int]
    constants: dict[str, Tensor]


def sort_options(
    cell: Cell, given: Mapping[str, Option], taker: Callable[..., Any]
) -> Options:
    """Sort extra arguments into counts, sizes and constants.

    Args:
        cell: declares what each of them is.
        given: the arguments by name.
        taker: was given them; one of its own arguments may have been meant.

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
            options.constants[name] = _constant(cell, name, value)
        elif name in sizes:
            options.sizes[name] = whole_number(cell.name, name, value)
        elif name in counts:
            options.counts[name] = whole_number(cell.name, name, value)
        else:
            known = [*counts, *sorted(sizes), *sorted(constants)]
            has = f"it has {', '.join(known)}" if known else "it has none"
            close = did_you_mean(name, known)
            close = close or did_you_mean(name, _own_arguments(taker), cutoff=ALIKE)
            text = f"{cell.name} has no size, count or constant {name!r}: {has}."
            raise OptionError(f"{text} {close}".rstrip())
    return options


def refuse_reserved(
    cell: Cell, constructor: Callable[..., Any], call: Callable[..., Any]
) -> None:
    """Raise OptionError with every name of a cell that a layer keeps for itself.

    Args:
        cell: its sizes, counts and constants are arguments of the constructor, and its
            inputs but the first are arguments of the call.
        constructor: of the layer.
        call: of the layer.
    """
    graph = cell.graph
    sizes = [s.name for s in graph.sizes if s.derived is None]
    kinds: list[tuple[str, Sequence[str], Callable[..., Any], str]] = [
        ("size", sizes, constructor, "the layer"),
        ("count", [name for name, _ in graph.counts], constructor, "the layer"),
        ("constant", [c.name for c in graph.constants], constructor, "the layer"),
        ("input", [i.name for i in graph.inputs[1:]], call, "the call"),
    ]
    faults = [
        f"the {kind} {name} can never be given: {name}= is an argument of {whose} "
        "itself; rename it in the cell's file"
        for kind, names, function, whose in kinds
        for name in names
        if name in _own_arguments(function)
    ]
    if faults:
        raise OptionError("\n  ".join([f"{cell.name}: {faults[0]}", *faults[1:]]))


def _own_arguments(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}


def _constant(cell: Cell, name: str, value: object) -> Tensor:
    """Return a constant that a person gave, in float64, apart from what they hold."""
    fault = f"{cell.name}: the constant {name} is a number or a tensor of real numbers"
    if isinstance(value, Tensor):
        if value.is_complex() or value.is_meta:
            found = "without values" if value.is_meta else f"of {value.dtype}"
            raise OptionError(f"{fault}; got a tensor {found}")
        given = value.detach().to("cpu", torch.float64, copy=True)
    else:
        try:
            given = torch.tensor(value, dtype=torch.float64, device="cpu")
        except (TypeError, ValueError, RuntimeError) as error:
            raise OptionError(f"{fault}; got {value!r}") from error
    return given.reshape(()) if given.numel() == 1 else given


def check_constants(
    cell: Cell, graph: Graph, sizes: Sequence[Mapping[str, int]], options: Options
) -> None:
    """Raise OptionError for a constant that has not the shape of its declaration.

    Args:
        cell: the cell.
        graph: with the layer's counts and biases.
        sizes: every named size, layer by layer.
        options: what the layer was given.
    """
    for constant in graph.constants:
        given = options.constants.get(constant.name)
        if given is None or not given.shape:
            continue
        for layer, each in enumerate(sizes):
            shape = [size.evaluate(each) for size in constant.shape]
            if list(given.shape) != shape:
                declared = f"{shape_text(constant.shape)}, here {shape}, or one number"
                declared = declared if shape else "one number"
                place = f" of layer {layer}" if len(sizes) > 1 else ""
                raise OptionError(
                    f"{cell.name}: the constant {constant.name}{place} is {declared}; "
                    f"got a tensor of shape {list(given.shape)}"
                )


def flag(owner: str, name: str, value: object) -> bool:
    """Return a True or False that a person gave.

    Raises:
        OptionError: when it is neither.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{owner}: {name} is True or False; found {value!r}")
    return value


def is_whole(value: object, least: int = 1) -> TypeGuard[int]:
    """Tell whether a value is a whole number from ``least`` on, and no True.

    Example:
        >>> [is_whole(value) for value in (1, 0, 1.0, True)]
        [True, False, False, False]
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def whole_number(owner: str, name: str, value: object, least: int = 1) -> int:
    """Return a size that a person gave.

    Raises:
        OptionError: when it is not a whole number from ``least`` on.
    """
    if not is_whole(value, least):
        raise OptionError(
            f"{owner}: {name} is a whole number from {least} on; found {value!r}"
        )
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
