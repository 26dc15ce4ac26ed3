"""A network in the terminal: one table of its layers, then each layer opened."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .arithmetic import in_words, shape_words
from .columns import LABEL, NOTE, highlighted
from .facts import Collapse, Layer, Network, Recurrence, Shape
from .measures.facts import Measured
from .measures.words import measured_rows, network_rows
from .rules_of_thumb import RulesOfThumb
from .rules_of_thumb import rows as rule_rows

INDENT = 12
"""Columns of the labels of an opened layer."""


def network_view(
    facts: Network,
    width: int,
    measured: Measured | None = None,
    rules: RulesOfThumb | None = None,
) -> RenderableType:
    """Return a network for a terminal.

    Args:
        facts: what is true of it.
        width: columns of the terminal.
        measured: of it while it ran, if that was asked for.
        rules: what rules of thumb say of it, likewise.
    """
    found = measured or Measured()
    parts: list[RenderableType] = [Text(facts.words, LABEL), Text()]
    parts += [layer_table(facts), Text(), *_totals(facts, width)]
    told = [*network_rows(found), *(() if rules is None else rule_rows(rules))]
    for label, text in told:
        parts += _wrapped(label, text, width)
    for layer in facts.layers:
        parts += [Text(), *layer_lines(layer, width)]
        for label, text in measured_rows(found, layer.path):
            parts += _wrapped(label, text, width)
    return Group(*parts)


def layer_table(facts: Network) -> Table:
    """Return the table of the layers: shapes, states, parameters, work."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("layer", "kind", "takes", "gives", "states"):
        table.add_column(name)
    for name in ("parameters", "share", "mult-adds"):
        table.add_column(name, justify="right")
    whole = facts.parameters
    for layer in facts.layers:
        share = f"{layer.counted / whole:.1%}" if whole and layer.counted else ""
        adds = layer.multiply_adds
        table.add_row(
            layer.path or ".",
            layer.kind,
            *(short_shape(shapes[:1]) for shapes in (layer.takes, layer.gives)),
            state_sizes(layer.recurrence),
            f"{layer.counted:,}",
            share,
            "" if adds is None else f"{adds.count:,}",
        )
    return table


def layer_lines(layer: Layer, width: int) -> Iterator[Text]:
    """Yield a layer, opened."""
    yield Text(f"{layer.path or '.'}  {layer.words}", LABEL)
    for label, text in layer_rows(layer):
        yield from _wrapped(label, text, width)


def layer_rows(layer: Layer) -> Iterator[tuple[str, str]]:
    """Yield what is true of a layer, line by line: a label, and what is to be said."""
    for label, shapes in (("takes", layer.takes), ("gives", layer.gives)):
        yield from ((label, shape_words(shape)) for shape in shapes)
    found = layer.recurrence
    if found is None:
        yield "parameters", in_words(layer.parameters)
    else:
        yield from _recurrent_rows(found)
        if len(found.directions) > 1:
            yield "parameters", f"{layer.parameters.count:,} in all"
    shared = [tensor for tensor in layer.tensors if tensor.same_as]
    for tensor in shared:
        yield "shared", f"{tensor.name} is {tensor.same_as}, and is counted there"
    frozen = [tensor.name for tensor in layer.tensors if not tensor.trained]
    if frozen:
        yield "frozen", ", ".join(frozen)
    if layer.multiply_adds is not None and layer.multiply_adds.terms:
        yield "multiplies", in_words(layer.multiply_adds)
    for remark in layer.remarks:
        yield "", remark


def _recurrent_rows(found: Recurrence) -> Iterator[tuple[str, str]]:
    for value in (*found.gates, *found.states):
        words = f"  # {value.words}" if value.words else ""
        yield f"{value.name} {value.size}", f"{value.equation}{words}"
    for each in found.directions:
        way = ", backwards" if each.backwards else ""
        name = f"layer {each.layer}{way}: " if len(found.directions) > 1 else ""
        yield "parameters", f"{name}{in_words(each.parameters)}"
    if found.other_count:
        yield "", found.other_count
    rows: dict[str, list[str]] = {}
    for block in found.blocks:
        rows.setdefault(block.tensor, []).append(
            f"{block.gate} {block.rows[0]}:{block.rows[1]}"
        )
    for tensor, blocks in rows.items():
        yield "rows", f"{tensor}: {', '.join(blocks)}"
    for place in found.places:
        yield "results", f"{place.place} is {place.holds}"


def _totals(facts: Network, width: int) -> Iterator[Text]:
    whole, trained = facts.parameters, facts.trained
    text = f"{whole:,}"
    if trained != whole:
        text += f", of which {trained:,} are trained and {whole - trained:,} are frozen"
    yield from _wrapped("parameters", text, width)
    if facts.multiply_adds:
        yield from _wrapped("multiplies", f"{facts.multiply_adds:,}", width)
    for collapse in facts.collapses:
        yield from _wrapped("one map", _one_map(collapse), width)


def _one_map(found: Collapse) -> str:
    layers = ", ".join(found.paths)
    first = f"nothing bends between layers {layers}: together they are one"
    if found.window:
        size = "×".join(map(str, found.window))
        return (
            f"{first} convolution with a window of {size}, from {found.inputs} to "
            f"{found.outputs} channels"
        )
    return (
        f"{first} affine map from {found.inputs} to {found.outputs} numbers, of rank "
        f"{found.rank} at most"
    )


def _wrapped(label: str, text: str, width: int) -> Iterator[Text]:
    room = max(20, width - INDENT)
    for i, line in enumerate(textwrap.wrap(text, room) or [""]):
        start = Text(f"{label if i == 0 else '':{INDENT}}", NOTE)
        yield start.append_text(highlighted(line))


def short_shape(shapes: Sequence[Shape]) -> str:
    """Return the sizes of the first of some shapes, ``20×1×300``."""
    return "×".join(str(axis.size) for axis in shapes[0]) if shapes else ""


def state_sizes(found: Recurrence | None) -> str:
    """Return the states of a layer with their sizes, ``h, c 300``."""
    if found is None:
        return ""
    sizes: dict[int, list[str]] = {}
    for state in found.states:
        sizes.setdefault(state.size, []).append(state.name)
    return "; ".join(f"{', '.join(names)} {size}" for size, names in sizes.items())
