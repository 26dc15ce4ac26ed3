"""A layer's constants: do given ones fit, and what are they before any rounding.

A constant that nobody draws, such as ``a = 0.02``, is known exactly; a layer in float32
holds it rounded, and must not carry that rounding into float64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from cellwright.backends.reference.initial import initial_values
from cellwright.ir.graph import Graph, reachable
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import Shape, shape_text

from .errors import OptionError


def is_drawn(graph: Graph, name: str, given: Mapping[str, Tensor]) -> bool:
    """Tell whether chance decides a constant, also by way of another that it uses.

    Args:
        graph: the cell.
        name: the constant.
        given: constants that the caller sets; they are never drawn.
    """
    if name in given:
        return False
    init = next(c.init for c in graph.constants if c.name == name)
    for position in reachable(graph.nodes, {init}):
        node = graph.nodes[position]
        if node.op == "parameter" or OPS[node.op].kind == "draw":
            return True
        if node.op == "constant" and is_drawn(graph, str(node.attr), given):
            return True
    return False


def exact_constants(
    graph: Graph, sizes: Mapping[str, int], given: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return every constant that is not drawn, in float64; nothing is drawn for it.

    Example:
        >>> import cellwright as cw
        >>> graph = cw.cells.load("izhikevich").graph
        >>> exact_constants(graph, {"hidden_size": 1}, {})["a"].item()
        0.02
    """
    fixed = tuple(c for c in graph.constants if not is_drawn(graph, c.name, given))
    alone = dataclasses.replace(graph, parameters=(), constants=fixed)
    return initial_values(alone, sizes, given)[1]


def converted(exact: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """Return a constant in another dtype, rounded once from its exact value.

    Args:
        exact: the declared value, in float64.
        old: the constant before the conversion; an entry that is no longer the declared
            one was loaded or changed.
        new: what the conversion made of it.
    """
    declared = (old == exact.to(old)).to(new.device)
    return torch.where(declared, exact.to(new), new)


def check_constants(
    graph: Graph, sizes: Mapping[str, int], given: Mapping[str, Tensor]
) -> None:
    """Raise OptionError for a given constant whose shape is not the declared one."""
    for declared in graph.constants:
        value = given.get(declared.name)
        if value is None:
            continue
        shape = tuple(size.evaluate(sizes) for size in declared.shape)
        if not _expands(value.shape, shape):
            raise OptionError(
                f"{graph.name}: the constant {declared.name} is "
                f"{_words(declared.shape, shape)}; got {list(value.shape)}"
            )


def _expands(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(have in (1, want) for have, want in pairs)


def _words(declared: Shape, shape: tuple[int, ...]) -> str:
    if not shape:
        return "one number"
    text = shape_text(declared)
    numbers = str(list(shape))
    same = text if text == numbers else f"{text} = {numbers}"
    return f"{same}, or one number for all"
