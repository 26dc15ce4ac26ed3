"""What a command is to explain: a cell, a file, a name in a file, a line of layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cellwright.cells import find
from cellwright.nn import Recurrent

from .keras_file import read_keras
from .python_file import TargetError, from_python
from .stacks import is_stack, read_stack

EXAMPLE = {"input_size": 3, "hidden_size": 4}
"""Sizes of a cell that is explained by itself; small enough to look at all of it."""
DTYPES = {"long": torch.int64, "float": torch.float32, "double": torch.float64}


@dataclass(frozen=True)
class Target:
    """A network to explain.

    Args:
        module: it.
        words: what to call it.
        example: shape of an example input, batch included; None where none is known.
    """

    module: nn.Module
    words: str
    example: tuple[int, ...] | None


def read_target(text: str, width: int | None, sizes: Mapping[str, Any]) -> Target:
    """Return the network that a text names.

    Args:
        text: a cell's name, a ``.cell`` file, ``file.py:name``, a ``.keras`` file, or a
            line of layers.
        width: numbers of the example input at each step, where one is given.
        sizes: of a cell.

    Raises:
        TargetError: when there is none.
    """
    if is_stack(text):
        stack = read_stack(text, width)
        example = None if stack.example is None else (1, *stack.example)
        return Target(stack.module, text, example)
    if text.endswith(".keras"):
        kept = read_keras(Path(text))
        example = None if kept.example is None else (1, *kept.example)
        return Target(kept.module, text, example)
    path, colon, name = text.rpartition(":")
    if colon and path.endswith(".py"):
        return Target(from_python(Path(path), name), text, None)
    if text.endswith(".py"):
        raise TargetError(
            f"{text}: a network is a name in a file; found no name\n"
            f"  fix: {text}:MyNetwork"
        )
    own = {**EXAMPLE, **sizes}
    if width is not None:
        own["input_size"] = width
    layer = Recurrent(find(text), own.pop("input_size"), own.pop("hidden_size"), **own)
    return Target(layer, text, (5, 1, layer.input_size))


def read_input(text: str) -> tuple[tuple[int, ...], torch.dtype]:
    """Return the shape and the dtype of an input, ``32,20,1:long``.

    Raises:
        TargetError: for anything else.

    Example:
        >>> read_input("2,7:long")
        ((2, 7), torch.int64)
    """
    shape, _, kind = text.partition(":")
    try:
        sizes = tuple(int(size) for size in shape.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1 or kind not in ("", *DTYPES):
        raise TargetError(
            f"--input {text}: an input is its sizes, and :long where it is tokens; "
            "found something else\n  fix: --input 32,20,1, or --input 32,20:long"
        )
    return sizes, DTYPES[kind or "float"]


def example_of(
    module: nn.Module, shape: tuple[int, ...], dtype: torch.dtype
) -> torch.Tensor:
    """Return an input by chance, the same each time.

    Args:
        module: which tokens there are is read off its embeddings.
        shape: of the input, batch included.
        dtype: tokens are whole numbers, everything else is standard normal.
    """
    draws = torch.Generator().manual_seed(0)
    if dtype == torch.int64:
        tables = [m for m in module.modules() if isinstance(m, nn.Embedding)]
        count = min((each.num_embeddings for each in tables), default=2)
        return torch.randint(count, shape, generator=draws)
    return torch.randn(shape, dtype=dtype, generator=draws)
