"""The two operators that a compiled graph holds in place of a kernel's call.

Called directly, a kernel needs no operator and saves its overhead. A traced graph needs
a name, which outlives the process: the spec is the text of the cell and its variant, so
that a graph that was exported or cached finds, or builds, its kernel anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from cellwright.compiler.programs import program
from cellwright.ir.graph import Graph
from cellwright.ir.text import parse_graph, print_graph

from .kernels import (
    Compiled,
    Memory,
    backward_arrays,
    forward_arrays,
    forward_shapes,
)

_LIBRARY = torch.library.Library("cellwright", "DEF")
_LIBRARY.define("forward(Tensor[] tensors, str spec, SymInt[] sizes) -> Tensor[]")
_LIBRARY.define("backward(Tensor[] tensors, str spec, SymInt[] sizes) -> Tensor[]")


@lru_cache(maxsize=256)
def spec_of(
    graph: Graph,
    trace: tuple[str, ...],
    dtype: torch.dtype,
    sizes: tuple[str, ...],
    memory: Memory,
) -> str:
    """Return the text that names a compiled cell.

    Args:
        graph: the cell, rewritten as it will run.
        trace: names of values that it gives out.
        dtype: of its tensors.
        sizes: names of the sizes, in the order of their numbers.
        memory: what the forward operator keeps.
    """
    word = str(dtype).removeprefix("torch.")
    return json.dumps([print_graph(graph), trace, word, sizes, memory])


@lru_cache(maxsize=256)
def _read(
    spec: str,
) -> tuple[Graph, tuple[str, ...], torch.dtype, tuple[str, ...], Memory]:
    # Programs that were exported before there was a choice say nothing of memory.
    text, trace, word, sizes, memory = [*json.loads(spec), "store"][:5]
    return parse_graph(text), tuple(trace), getattr(torch, word), tuple(sizes), memory


def _compiled(spec: str, sizes: Sequence[int]) -> Compiled:
    graph, trace, dtype, names, memory = _read(spec)
    values = dict(zip(names, sizes, strict=True))
    return Compiled(program(graph, trace, "all", dtype), values, trace, memory)


def _forward(tensors: list[Tensor], spec: str, sizes: list[int]) -> list[Tensor]:
    arrays, between, last = forward_arrays(_compiled(spec, sizes), tensors)
    return _apart([*arrays, *between, *last])


def _backward(tensors: list[Tensor], spec: str, sizes: list[int]) -> list[Tensor]:
    return _apart(backward_arrays(_compiled(spec, sizes), tensors))


def _forward_shapes(tensors: list[Tensor], spec: str, sizes: list[int]) -> list[Tensor]:
    arrays, between, last = forward_shapes(_compiled(spec, sizes), tensors)
    return [*arrays, *between, *last]


def _backward_shapes(
    tensors: list[Tensor], spec: str, sizes: list[int]
) -> list[Tensor]:
    inputs, states, weights, _ = _compiled(spec, sizes).split(tensors)
    return [tensor.new_empty(tensor.shape) for tensor in (*inputs, *states, *weights)]


def _apart(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors of which no two share memory, as an operator's results have to."""
    seen: set[int] = set()
    found: list[Tensor] = []
    for tensor in tensors:
        memory = tensor.untyped_storage()
        shared = memory.data_ptr() in seen or memory.nbytes() > (
            tensor.numel() * tensor.element_size()
        )
        seen.add(memory.data_ptr())
        found.append(
            tensor.clone(memory_format=torch.contiguous_format) if shared else tensor
        )
    return found


for _name, _function, _fake in (
    ("forward", _forward, _forward_shapes),
    ("backward", _backward, _backward_shapes),
):
    _LIBRARY.impl(_name, _function, "CPU")
    torch.library.register_fake(f"cellwright::{_name}", _fake, lib=_LIBRARY)

forward_operator = torch.ops.cellwright.forward
backward_operator = torch.ops.cellwright.backward
