"""What a stack is made of and called with, read from what a person gave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from cellwright.language.cell import Cell
from cellwright.language.report import did_you_mean

from .errors import OptionError, ShapeError
from .recurrent import Recurrent
from .report import Row
from .stateful import Layer, in_words, output_width
from .wiring import Wiring

CellName = str | os.PathLike[str] | Cell
"""What `Recurrent` takes for a cell."""


def read_layers(layers: object) -> list[Layer]:
    """Return the layers that a person gave, each of a kind that stacks.

    Raises:
        OptionError: for anything else, or none.
    """
    kinds = "Recurrent, or an LSTM, GRU or RNN of cellwright.nn or torch.nn"
    if not isinstance(layers, Sequence | nn.ModuleList) or isinstance(layers, str):
        kind = type(layers).__name__
        raise OptionError(f"Stack: layers is a {kind}, not a list of layers")
    found: list[Layer] = []
    for index, layer in enumerate(layers):
        if not isinstance(layer, Recurrent | nn.RNNBase):
            kind, of_cells = type(layer).__name__, ""
            if isinstance(layer, str | os.PathLike | Cell):
                of_cells = "; Stack.of_cells makes layers of cells"
            raise OptionError(
                f"Stack: layers[{index}] is a {kind}; a layer is {kinds}{of_cells}"
            )
        found.append(layer)
    if not found:
        raise OptionError("Stack: layers is empty; a stack has one layer at least")
    return found


def cells_and_sizes(
    cells: CellName | Sequence[CellName], sizes: int | Sequence[int]
) -> list[tuple[CellName, int]]:
    """Return a cell and a hidden size for each layer; one of either is all layers'.

    Raises:
        OptionError: for other numbers of cells than of sizes, or none.

    Example:
        >>> cells_and_sizes("gru", [8, 5])
        [('gru', 8), ('gru', 5)]
    """
    one_cell = isinstance(cells, str | os.PathLike | Cell)
    one_size = not isinstance(sizes, Sequence)
    count = len(cells) if one_size and not one_cell else 1
    widths = [sizes] * count if one_size else list(sizes)
    each = [cells] * len(widths) if one_cell else list(cells)
    if len(each) != len(widths):
        raise OptionError(
            "Stack.of_cells: each layer has a cell and a hidden_size; got "
            f"{len(each)} cells and {len(widths)} sizes"
        )
    return list(zip(each, widths, strict=True))


def check_widths(
    owner: str, wired: Wiring, layers: Sequence[Layer], project: bool
) -> None:
    """Check that each layer reads as many features as come to it.

    Args:
        owner: the stack, for messages.
        wired: how it is wired.
        layers: from the lowest.
        project: whether what is added may have another width.

    Raises:
        OptionError: naming both layers and both sizes.
    """
    input_size = below = layers[0].input_size
    for index, layer in enumerate(layers):
        words = in_words(f"layers.{index}", layer)
        expected = wired.reads(index, input_size, below)
        if layer.input_size != expected:
            lower = in_words(f"layers.{index - 1}", layers[index - 1])
            rule, parts = "what the layer below puts out", ""
            if wired.sees_input:
                rule = f"the stack's input and {rule}"
                parts = f" = {input_size} of the input + {below}"
            raise OptionError(
                f"{owner}: a layer reads {rule}\n"
                f"  expected  input_size={expected}{parts} of {lower}\n"
                f"  got       input_size={layer.input_size} of {words}\n"
                f"  fix       give it input_size={expected}; Stack.of_cells finds it"
            )
        below = output_width(layer)
        if wired.adds_input and below != expected and not project:
            raise OptionError(
                f"{owner}: what a layer reads is added to what it puts out\n"
                f"  expected  as many features of both\n"
                f"  got       {words}, which reads {expected} and puts out {below}\n"
                f"  fix       project=True learns a matrix [{below}, {expected}] for it"
            )


def check_batch_first(owner: str, layers: Sequence[Layer]) -> None:
    """Raise OptionError unless all layers have the same layout."""
    for index, layer in enumerate(layers):
        if layer.batch_first != layers[0].batch_first:
            raise OptionError(
                f"{owner}: all layers read one layout\n"
                f"  layers.0 has batch_first={layers[0].batch_first}\n"
                f"  layers.{index} has batch_first={layer.batch_first}"
            )


def projection(layer: Layer) -> nn.Module:
    """Return what brings a layer's input to the width of its output."""
    width = output_width(layer)
    if width == layer.input_size:
        return nn.Identity()
    like = next(iter([*layer.parameters(), *layer.buffers()]))
    # Without a bias a step that does not happen stays 0.
    return nn.Linear(
        layer.input_size, width, bias=False, device=like.device, dtype=like.dtype
    )


def rows_of(name: str, layer: Any) -> list[Row]:
    """Return what a report says of a layer, or of a stack of them, under a name."""
    report = getattr(layer, "backend_report", None)
    if report is None:
        return [Row(f"{name} {type(layer).__name__}", "torch", "torch.nn's")]
    return [replace(row, layer=f"{name} {row.layer}") for row in report().rows]


def read_given(owner: str, hx: object, count: int) -> Sequence[Any]:
    """Return what each layer's states begin with, None for what its cell declares.

    Raises:
        ShapeError: for other than an entry a layer.
    """
    if hx is None:
        return [None] * count
    if isinstance(hx, tuple | list) and len(hx) == count:
        return hx
    found = f"{len(hx)} entries" if isinstance(hx, tuple | list) else "no tuple"
    if isinstance(hx, Tensor):
        found = f"a single tensor {list(hx.shape)}"
    raise ShapeError(
        f"{owner}: hx has an entry for each layer, as the stack returns it\n"
        f"  expected  {count} entries, each a layer's states or None\n"
        f"  got       {found}"
    )


def check_names(
    owner: str,
    trace: Sequence[str],
    traceable: Sequence[Sequence[str]],
    inputs: Iterable[str],
    further: Sequence[Sequence[str]],
) -> None:
    """Raise OptionError for a name in a call that no layer knows.

    Args:
        owner: the stack, for messages.
        trace: values that are asked for.
        traceable: those that each layer has.
        inputs: names of further inputs that are given.
        further: those that each layer has.
    """
    if isinstance(trace, str):
        raise OptionError(
            f"{owner}: trace is a tuple of names, also of one: write trace=({trace!r},)"
        )
    for name in trace:
        _check_name(f"{owner}: no layer has a value {name!r} to trace", name, traceable)
    for name in inputs:
        _check_name(f"{owner}: no layer has an input {name!r}", name, further)


def _check_name(fault: str, name: str, known: Sequence[Sequence[str]]) -> None:
    if any(name in each for each in known):
        return
    close = did_you_mean(name, [n for each in known for n in each])
    has = "".join(
        f"\n  layers.{index} has {', '.join(each) or 'none'}"
        for index, each in enumerate(known)
    )
    raise OptionError(f"{f'{fault}. {close}'.rstrip()}{has}")
