"""First values of parameters and constants, as the cell file declares them.

Random numbers come from torch's default generator for the CPU, in the order of the
file: a seed gives the same values for every device and dtype.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellwright.ir.graph import Graph, Node, reachable

from .interpret import resolve
from .ops import TORCH, matrices, normal, number, uniform


def initial_values(
    graph: Graph, sizes: Mapping[str, int], given: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the first values of every parameter and every constant, in float64.

    Args:
        graph: the cell.
        sizes: every named size as a whole number.
        given: constants and parameters that the caller sets; they replace the
            declared value.

    Returns:
        Parameters and constants by name. A parameter without a declared value gets
        torch.nn's: uniform between ±1/√hidden_size.
    """
    like = torch.empty(0, dtype=torch.float64, device="cpu")
    values: dict[int, Tensor] = {}
    constants: dict[str, Tensor] = {}
    parameters: dict[str, Tensor] = {}

    def value(node: int) -> Tensor:
        for position in sorted(reachable(graph.nodes, {node})):
            if position not in values:
                values[position] = _value(graph, position)
        return values[node]

    def _value(graph: Graph, position: int) -> Tensor:
        node = graph.nodes[position]
        if node.op == "parameter":
            return parameter(str(node.attr))
        if node.op == "constant":
            return constant(str(node.attr))
        args = [values[arg] for arg in node.args]
        shape = tuple(size.evaluate(sizes) for size in node.shape)
        found = _node_value(node, args, shape, sizes, like)
        # A row op keeps an axis of one entry for the batch, which nothing here has.
        return found if shape else found.reshape(())

    def parameter(name: str) -> Tensor:
        if name not in parameters:
            row = next(p for p in graph.parameters if p.name == name)
            shape = tuple(size.evaluate(sizes) for size in row.shape)
            if name in given:
                parameters[name] = given[name].to(like)
            elif row.init is None:
                parameters[name] = _default(shape, sizes, like)
            else:
                parameters[name] = value(row.init).expand(shape).clone()
        return parameters[name]

    def constant(name: str) -> Tensor:
        if name not in constants:
            row = next(c for c in graph.constants if c.name == name)
            shape = tuple(size.evaluate(sizes) for size in row.shape)
            first = given[name].to(like) if name in given else value(row.init)
            constants[name] = first.expand(shape).clone()
        return constants[name]

    for row in graph.parameters:
        parameter(row.name)
    for row in graph.constants:
        constant(row.name)
    return parameters, constants


def _default(shape: tuple[int, ...], sizes: Mapping[str, int], like: Tensor) -> Tensor:
    bound = 1 / math.sqrt(sizes["hidden_size"])
    return like.new_empty(shape).uniform_(-bound, bound)


def _node_value(
    node: Node,
    args: list[Tensor],
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    like: Tensor,
) -> Tensor:
    attr = resolve(node.attr, sizes)
    match node.op:
        case "const" | "size":
            assert isinstance(attr, float | int)
            return number(attr, shape, like)
        case "index":
            assert isinstance(attr, int)
            running = torch.arange(shape[attr], dtype=like.dtype, device=like.device)
            view = [-1 if axis == attr else 1 for axis in range(len(shape))]
            return running.view(view).expand(shape)
        case "uniform":
            return uniform(args[0], args[1], shape)
        case "normal":
            return normal(args[0], args[1], shape)
        case "glorot":
            return matrices(nn.init.xavier_uniform_, like.new_empty(shape))
        case "orthogonal":
            return matrices(nn.init.orthogonal_, like.new_empty(shape))
        case _:
            return TORCH[node.op](args, attr)
