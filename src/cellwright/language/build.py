"""From definitions to nodes: sizes, shapes, then values in the order of their use."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from cellwright.ir.builder import Builder
from cellwright.ir.ops import ShapeRuleError
from cellwright.ir.sizes import Shape, Size, shape_text

from .definitions import Definition, Definitions
from .expressions import Scope, Sizes, Typer, Where
from .fragment import Fragment
from .lookup import Lookup
from .names import Parsed, parse_all
from .order import FIRST, Instance, Scoping, in_order
from .report import CellError, Fault, Report, did_you_mean

MAX_COUNT = 1_000
MAX_UNROLLED = 1_000_000
"""Characters of the for block times its micro-steps: bounds time and memory."""

_WHERE: dict[str, Where] = {"equation": "step", "state": "first"}


@dataclass
class Built:
    """Every definition of a cell as nodes, before anything is dropped.

    Args:
        sizes: each size in terms of those that the layer is given; None at a fault.
        defaults: of the sizes that have one.
        nodes: of every instance that is not at fault.
        inits: first values of weights, biases and constants.
        filled: names of scalars that fill the shape of what they replace.
    """

    definitions: Definitions
    parsed: Parsed
    scoping: Scoping
    builder: Builder
    counts: dict[str, int]
    sizes: dict[str, Size | None]
    defaults: dict[str, int] = field(default_factory=dict[str, int])
    shapes: dict[str, Shape | None] = field(default_factory=dict[str, "Shape | None"])
    nodes: dict[Instance, int] = field(default_factory=dict[Instance, int])
    inits: dict[Instance, int] = field(default_factory=dict[Instance, int])
    filled: set[str] = field(default_factory=set[str])


def build(
    definitions: Definitions,
    report: Report,
    bias: bool = True,
    counts: Mapping[str, int] | None = None,
    fold: bool = True,
) -> Built:
    """Type every definition and build its nodes; faults go to the report.

    Args:
        definitions: of the whole chain of files.
        report: where faults go.
        bias: False makes every ``bias`` 0.
        counts: values that replace those of the file.
        fold: compute what is known now; False builds every node as written.

    Raises:
        CellError: when unrolling the for block would make it too large.
    """
    values = _read_counts(definitions, counts or {}, report)
    scoping = Scoping(definitions, *_steps(definitions, values, report))
    _check_unrolled(definitions, scoping)
    filled = {}
    if definitions.base is not None:
        filled = _shapes_of_base(definitions, definitions.base, counts)
    parsed = parse_all(definitions, report)
    sizes: dict[str, Size | None] = {
        "input_size": Size.named("input_size"),
        "hidden_size": Size.named("hidden_size"),
        **{name: Size.number(value) for name, value in values.items()},
    }
    built = Built(definitions, parsed, scoping, Builder(fold), values, sizes)
    order, circular = in_order(definitions, parsed, scoping, report)
    _read_sizes(built, order, circular, report)
    _read_shapes(built, report)
    builder = _Instances(built, report, bias, filled)
    for instance in order:
        if instance not in circular:
            builder.add(instance)
    return built


def _shapes_of_base(
    definitions: Definitions, base: Definitions, counts: Mapping[str, int] | None
) -> dict[str, Shape]:
    """Return the shape that every name has in the base, under the child's sizes."""
    sizes = {k: d for k, d in definitions.table.items() if d.kind in ("size", "count")}
    built = build(replace(base, table=base.table | sizes), Report(), counts=counts)
    shapes: dict[str, Shape] = {}
    for (name, _), node in built.nodes.items():
        shapes.setdefault(name, built.builder.shape(node))
    return shapes


def _read_counts(
    definitions: Definitions, given: Mapping[str, int], report: Report
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for definition in definitions.table.values():
        if definition.kind != "count" or definition.value is None:
            continue
        text = definition.value.text
        value = int(text) if text.isdigit() and len(text) < 9 else 0
        if not 1 <= value <= MAX_COUNT:
            found = f"{definition.key} = {text}"
            report.add("count", definition.value.span(), found)
            value = 1
        counts[definition.key] = given.get(definition.key, value)
    return counts


def _steps(
    definitions: Definitions, counts: Mapping[str, int], report: Report
) -> tuple[int, int]:
    """Return the first and the last micro-step."""
    block = definitions.block
    if block is None:
        return 0, -1
    last = counts.get(block.count.text)
    if last is None:
        if block.count.text not in definitions.broken:
            fix = did_you_mean(block.count.text, counts)
            found = f"{block.count.text!r} is not a count"
            report.add("for-block", block.count.span, found, fix)
        return block.first, block.first
    if last < block.first:
        found = f"{block.first}..{last} has no micro-step"
        report.add("for-block", block.count.span, found)
        return block.first, block.first
    return block.first, last


def _check_unrolled(definitions: Definitions, scoping: Scoping) -> None:
    inside = [d for d in definitions.table.values() if d.in_block]
    length = sum(20 + len(d.value.text if d.value else "") for d in inside)
    steps = scoping.last - scoping.first + 1
    if length * steps > MAX_UNROLLED and definitions.block is not None:
        found = f"{steps:,} micro-steps of {length:,} characters"
        raise CellError([Fault("too-many", definitions.block.count.span, found)])


def _read_sizes(
    built: Built, order: list[Instance], circular: set[Instance], report: Report
) -> None:
    for instance in order:
        name = instance[0]
        definition = built.definitions.table[name]
        if definition.kind != "size":
            continue
        built.sizes[name] = Size.named(name)
        tree, at = built.parsed.tree(definition.value), definition.value
        size = None
        if at is not None:
            built.sizes[name] = None
            if tree is None or instance in circular:
                continue
            size = Sizes(built.sizes).read(tree, at, report)
            if size is None:
                continue
            built.sizes[name] = Size.named(name) if size.constant is not None else size
        known = None if size is None else size.constant
        if name == "input_size" and (size is None or known is not None):
            fix = (
                "a cell may derive it from other sizes, as in input_size = hidden_size"
            )
            report.add("size", definition.span, "every layer is given input_size", fix)
        elif known is not None and (known < 1 or known.denominator != 1):
            assert at is not None
            found = f"{name} = {size}: a default is a whole number from 1 on"
            report.add("size", at.span(), found)
        elif known is not None:
            built.defaults[name] = int(known)


def _read_shapes(built: Built, report: Report) -> None:
    read: dict[Fragment, Size | None] = {}
    sizes = Sizes(built.sizes)
    for key, definition in built.definitions.table.items():
        dims: list[Size] = []
        for dim in definition.shape or ():
            if dim.size not in read:
                tree = built.parsed.tree(dim.size)
                size = tree and sizes.positive(tree, dim.size, report)
                read[dim.size] = size
            size = read[dim.size]
            if size is not None:
                dims.append(size)
        built.shapes[key] = tuple(dims)
        if len(dims) < len(definition.shape or ()):
            built.shapes[key] = None
        elif definition.shape:
            most = 1 if definition.kind in ("input", "state") else 3
            if len(dims) > most:
                found = f"the {definition.kind} is {shape_text(tuple(dims))}"
                report.add("axes", definition.shape[most].size.span(), found)
                built.shapes[key] = None


class _Instances:
    """Builds the nodes of one instance after the other."""

    def __init__(
        self, built: Built, report: Report, bias: bool, filled: Mapping[str, Shape]
    ):
        self._built = built
        self._b = built.builder
        self._report = report
        self._bias = bias
        self._filled = filled
        self._sizes = Sizes(built.sizes)
        self._lookup = Lookup(
            built.definitions, built.scoping, built.builder, built.sizes, report
        )
        self._splits: dict[tuple[Fragment, int], list[int]] = {}

    def add(self, instance: Instance) -> None:
        """Build an instance whose parts are built; one at fault gets no node."""
        name, step = instance
        definition = self._built.definitions.table[name]
        shape = self._built.shapes[name]
        if definition.kind == "equation":
            self._equation(definition, step)
        elif shape is not None and definition.kind not in ("size", "count"):
            self._declared(definition, step, shape)

    def _declared(self, definition: Definition, step: int, shape: Shape) -> None:
        kind, instance = definition.kind, (definition.key, step)
        if step != FIRST:
            op = "parameter" if kind in ("weight", "bias") else kind
            self._built.nodes[instance] = self._b.leaf(op, label(instance), shape)
        if kind == "bias" and not self._bias:
            self._built.nodes[instance] = self._b.const(0, shape)
        elif step == FIRST or kind in ("weight", "bias", "constant"):
            first = self._first_value(definition, step, shape)
            if first is not None:
                target = self._built.nodes if step == FIRST else self._built.inits
                target[instance] = first

    def _equation(self, definition: Definition, step: int) -> None:
        tree = self._built.parsed.tree(definition.value)
        if tree is None or definition.value is None:
            return
        typer = self._typer(definition, step, definition.value, ())
        match tree:
            case ast.Call(func=ast.Name(id="split")):
                place = (definition.value, step)
                if place not in self._splits:
                    names = len(definition.targets)
                    self._splits[place] = typer.parts(tree, names)
                parts = self._splits[place]
                node = parts[definition.part] if parts else None
            case _ if len(definition.targets) > 1:
                found = (
                    f"{len(definition.targets)} names, and the right side is no split"
                )
                self._report.add("targets", definition.value.span(), found)
                return
            case _:
                node = typer.node(tree)
        if node is not None:
            self._keep(definition, step, node)

    def _keep(self, definition: Definition, step: int, node: int) -> None:
        """Note the node of an equation, filled to the shape that its name must have."""
        key = definition.key
        before = self._built.definitions.without_prime(key)
        if before is not None and before.kind == "state" and key.endswith("'"):
            shape = self._built.shapes[before.key]
            if shape is None:
                return
            try:
                node = self._b.fill(node, shape)
            except ShapeRuleError:
                found = f"{key} is {shape_text(self._b.shape(node))}"
                found += f", the state {before.key} is {shape_text(shape)}"
                self._report.add("declared-shape", definition.span, found)
                return
        elif not self._b.shape(node) and self._filled.get(key):
            node = self._b.fill(node, self._filled[key])
            self._built.filled.add(key)
        self._built.nodes[key, step] = node

    def _first_value(
        self, definition: Definition, step: int, shape: Shape
    ) -> int | None:
        """Return the node of a state's first value or of an initialiser."""
        tree = self._built.parsed.tree(definition.value)
        if definition.value is None:
            return self._b.const(0, shape) if definition.kind == "state" else None
        if tree is None:
            return None
        node = self._typer(definition, step, definition.value, shape).node(tree)
        if node is None:
            return None
        try:
            return self._b.fill(node, shape)
        except ShapeRuleError:
            found = f"the first value is {shape_text(self._b.shape(node))}"
            found += f", {definition.key} is {shape_text(shape)}"
            self._report.add("declared-shape", definition.value.span(), found)
            return None

    def _typer(
        self, definition: Definition, step: int, at: Fragment, shape: Shape
    ) -> Typer:
        where = _WHERE.get(definition.kind, "init")
        find = partial(
            self._lookup.node, self._built.nodes, definition, step, at, shape
        )
        return Typer(at, Scope(where, find, shape), self._b, self._sizes, self._report)


def label(instance: Instance) -> str:
    """Return the name of an instance in the graph: ``R_n_2`` in micro-step 2."""
    name, step = instance
    return name if step < 0 else f"{name.removesuffix(chr(39))}_{step}"
