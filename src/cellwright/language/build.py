"""From definitions to a verified graph: sizes, shapes, the order, the nodes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from cellwright.ir.builder import Builder
from cellwright.ir.ops import ShapeFault
from cellwright.ir.sizes import Shape, Size, shape_text

from .definitions import Definition, Definitions
from .expressions import Scope, Sizes, Typer, Where
from .order import FIRST, OUTSIDE, Instance, Scoping, in_order
from .report import Report, Span, did_you_mean
from .source import PRIME

MAX_COUNT = 1_000
MAX_INSTANCES = 20_000

_WHERE: dict[str, Where] = {"equation": "step", "state": "first"}


@dataclass
class Built:
    """Nodes of every instance, and the initialisers, before anything is dropped."""

    definitions: Definitions
    scoping: Scoping
    builder: Builder
    sizes: Sizes
    counts: dict[str, int]
    defaults: dict[str, int]
    trees: dict[str, ast.expr | None]
    shapes: dict[str, Shape] = field(default_factory=dict[str, Shape])
    nodes: dict[Instance, int] = field(default_factory=dict[Instance, int])
    inits: dict[Instance, int] = field(default_factory=dict[Instance, int])


def build(
    definitions: Definitions,
    report: Report,
    bias: bool = True,
    counts: Mapping[str, int] | None = None,
    fold: bool = True,
) -> Built:
    """Type every definition and build its nodes; faults go to the report."""
    base_shapes: dict[str, Shape] = {}
    if definitions.base is not None:
        base = build(definitions.base, Report(), counts=counts)
        base_shapes = _shapes_of_names(base)
    return _Build(definitions, report, bias, counts or {}, fold, base_shapes).run()


def _shapes_of_names(built: Built) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for (name, _), node in built.nodes.items():
        shapes.setdefault(name, built.builder.shape(node))
    return shapes


class _Build:
    def __init__(
        self,
        definitions: Definitions,
        report: Report,
        bias: bool,
        counts: Mapping[str, int],
        fold: bool,
        base_shapes: Mapping[str, Shape],
    ):
        self._definitions = definitions
        self._table = definitions.table
        self._report = report
        self._bias = bias
        self._base_shapes = base_shapes
        self._b = Builder(fold)
        self._counts = self._read_counts(counts)
        self._defaults: dict[str, int] = {}
        self._sizes = self._read_sizes()
        first, last = self._steps()
        self._scoping = Scoping(definitions, first, last)

    def run(self) -> Built:
        trees: dict[str, ast.expr | None] = {}
        for definition in self._table.values():
            if definition.kind not in ("size", "count"):
                trees[definition.key] = self._tree(definition)
        built = Built(
            self._definitions,
            self._scoping,
            self._b,
            self._sizes,
            self._counts,
            self._defaults,
            trees,
        )
        self._built = built
        for definition in self._table.values():
            built.shapes[definition.key] = self._shape(definition)
        order, circular = in_order(
            self._definitions, trees, self._scoping, self._report
        )
        if len(order) > MAX_INSTANCES:
            span = next(iter(self._table.values())).span
            found = f"{len(order):,} equations after unrolling"
            self._report.add("too-many", span, found)
            return built
        for instance in order:
            if self._table[instance[0]].kind not in ("size", "count"):
                self._instance(instance, instance in circular)
        return built

    def _tree(self, definition: Definition) -> ast.expr | None:
        return definition.value and definition.value.parse(self._report)

    def _read_counts(self, given: Mapping[str, int]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for definition in self._table.values():
            if definition.kind != "count" or definition.value is None:
                continue
            text = definition.value.text
            value = int(text) if text.isdigit() and len(text) < 9 else 0
            if not 1 <= value <= MAX_COUNT:
                found = f"{definition.key} = {definition.value.text}"
                self._report.add("count", definition.value.span(), found)
                value = 1
            counts[definition.key] = given.get(definition.key, value)
        return counts

    def _read_sizes(self) -> Sizes:
        """Return each size in terms of those that the layer is given."""
        declared = {d.key: d for d in self._table.values() if d.kind == "size"}
        values = {name: Size.number(count) for name, count in self._counts.items()}
        known = {"input_size", "hidden_size", *declared}
        sizes = Sizes(values | {name: Size.named(name) for name in known})
        derived: dict[str, Size] = {}
        for name, definition in declared.items():
            if definition.value is None:
                continue
            tree = definition.value.parse(self._report)
            size = tree and sizes.read(tree, definition.value, self._report)
            if size is not None and size.constant is None:
                derived[name] = size
            elif size is not None:
                self._defaults[name] = self._default(definition, size)
        for _ in declared:
            derived = {name: size.substitute(derived) for name, size in derived.items()}
            if not any(size.names & derived.keys() for size in derived.values()):
                break
        for name, size in derived.items():
            if size.names & derived.keys():
                found = f"the size {name} is made of itself"
                self._report.add("circle", declared[name].span, found)
                derived[name] = Size.named(name)
        whole = [size.substitute(derived) for size in sizes.whole]
        return Sizes({**sizes.values, **derived}, whole)

    def _default(self, definition: Definition, size: Size) -> int:
        constant = size.constant
        if constant is None or constant.denominator != 1 or constant < 1:
            assert definition.value is not None
            found = f"{definition.key} = {size}: a default is 1 or more"
            self._report.add("size", definition.value.span(), found)
            return 1
        return int(constant)

    def _steps(self) -> tuple[int, int]:
        block = self._definitions.block
        if block is None:
            return 0, -1
        last = self._counts.get(block.count.text)
        if last is None:
            fix = did_you_mean(block.count.text, self._counts)
            found = f"{block.count.text!r} is not a count"
            self._report.add("for-block", block.count.span, found, fix)
            return block.first, block.first
        if last < block.first:
            found = f"{block.first}..{last} runs no time"
            self._report.add("for-block", block.count.span, found)
            return block.first, block.first
        return block.first, last

    def _shape(self, definition: Definition) -> Shape:
        dims: list[Size] = []
        for dim in definition.shape or ():
            tree = dim.size.parse(self._report)
            size = tree and self._sizes.read(tree, dim.size, self._report)
            dims.append(size or Size.named("?"))
        most = {"input": 1, "state": 1, "bias": 1}.get(definition.kind, 3)
        if len(dims) > most and definition.shape:
            found = f"{definition.kind} {definition.key} is {shape_text(tuple(dims))}"
            place = definition.shape[0].size.span()
            self._report.add("declared-shape", place, found)
        return tuple(dims)

    def _instance(self, instance: Instance, circular: bool) -> None:
        name, step = instance
        definition = self._table[name]
        shape = self._built.shapes[name]
        kind = definition.kind
        if kind == "equation":
            if not circular:
                self._equation(definition, step)
            return
        if step != FIRST:
            op = "parameter" if kind in ("weight", "bias") else kind
            label = f"{name}_{step}" if step >= 0 else name
            node = self._b.leaf(op, label, shape)
            if kind == "bias" and not self._bias:
                node = self._b.const(0, shape)
            self._built.nodes[instance] = node
        if kind == "input" or (kind == "state" and step != FIRST):
            return
        first = self._first_value(definition, step)
        if first is not None:
            target = self._built.nodes if step == FIRST else self._built.inits
            target[instance] = first

    def _equation(self, definition: Definition, step: int) -> None:
        tree = self._built.trees[definition.key]
        if tree is None or definition.value is None:
            return
        typer = self._typer(definition, step, ())
        called = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)
        if called and tree.func.id == "split":  # pyright: ignore[reportAttributeAccessIssue]
            node = typer.parts(tree, definition.parts)[definition.part]  # pyright: ignore[reportArgumentType]
        elif definition.parts > 1:
            found = f"{definition.parts} names, and the right side is no split"
            self._report.add("targets", definition.span, found)
            return
        else:
            node = typer.node(tree)
        if node is not None:
            self._keep(definition, step, node)

    def _keep(self, definition: Definition, step: int, node: int) -> None:
        """Note the node of an equation, filled to the shape that its name must have."""
        key = definition.key
        before = self._definitions.without_prime(key)
        if before is not None and before.kind == "state" and key.endswith("'"):
            shape = self._built.shapes[before.key]
            try:
                node = self._b.fill(node, shape)
            except ShapeFault:
                found = f"{key} is {shape_text(self._b.shape(node))}"
                found += f", the state {before.key} is {shape_text(shape)}"
                self._report.add("declared-shape", definition.span, found)
                return
        elif not self._b.shape(node) and self._base_shapes.get(key):
            node = self._b.fill(node, self._base_shapes[key])
        self._built.nodes[key, step] = node

    def _first_value(self, definition: Definition, step: int) -> int | None:
        """Return the node of a state's first value or of an initialiser."""
        shape = self._built.shapes[definition.key]
        tree = self._built.trees[definition.key]
        if definition.value is None:
            return self._b.const(0, shape) if definition.kind == "state" else None
        if tree is None:
            return None
        node = self._typer(definition, step, shape).node(tree)
        if node is None:
            return None
        try:
            return self._b.fill(node, shape)
        except ShapeFault:
            found = f"the first value is {shape_text(self._b.shape(node))}"
            found += f", {definition.key} is {shape_text(shape)}"
            self._report.add("declared-shape", definition.value.span(), found)
            return None

    def _typer(self, definition: Definition, step: int, shape: Shape) -> Typer:
        where = _WHERE.get(definition.kind, "init")
        lookup = partial(self._lookup, definition, step)
        assert definition.value is not None
        scope = Scope(where, lookup, shape)
        return Typer(definition.value, scope, self._b, self._sizes, self._report)

    def _lookup(
        self, user: Definition, step: int, name: str, tree: ast.Name
    ) -> int | None:
        """Return the node that ``name`` means in the definition of ``user``."""
        known = self._number(user, step, name)
        if known is not None:
            return known
        meaning = self._scoping.meaning(name, step)
        assert user.value is not None
        place = user.value.place(tree)
        if meaning is None:
            self._unknown(name, place)
            return None
        used = self._table[meaning[0]]
        if user.kind != "equation" and not self._exists_before(user, used):
            what = f"{name!r} is {_article(used.kind)} {used.kind}"
            self._report.add("first-value", place, what)
            return None
        return self._built.nodes.get(meaning)

    def _number(self, user: Definition, step: int, name: str) -> int | None:
        """Return the node of a size, a count or a running index."""
        block = self._definitions.block
        if block is not None and step >= 0 and name == block.index.text:
            return self._b.const(step)
        for axis, dim in enumerate(user.shape or ()):
            if dim.index is not None and dim.index.text == name:
                return self._b.leaf("index", axis, self._built.shapes[user.key])
        if name in self._counts:
            return self._b.const(self._counts[name])
        size = self._sizes.values.get(name)
        if size is None:
            return None
        if size.constant is not None:
            return self._b.const(float(size.constant))
        return self._b.leaf("size", size, ())

    def _exists_before(self, user: Definition, used: Definition) -> bool:
        """Whether ``used`` may stand in the first value of ``user``."""
        if used.kind in ("weight", "bias", "constant"):
            order = list(self._table)
            earlier = order.index(used.key) < order.index(user.key)
            return user.kind == "state" or earlier
        return user.kind == "state" and used.kind == "state"

    def _unknown(self, name: str, place: Span) -> None:
        bare = name.removesuffix("'")
        inside = self._table.get(name)
        if inside is not None and inside.in_block:
            fix = f"write {bare}' in the block to carry it on"
            self._report.add("inside-block", place, f"{name!r}", fix)
        elif name != bare and bare in self._table:
            kind = self._table[bare].kind
            fix = f"write {bare}" if kind != "state" else f"write {bare}' = ..."
            code = "no-state" if kind != "state" else "missing-equation"
            found = f"{name!r}, and {bare} is {_article(kind)} {kind}"
            self._report.add(code, place, found, fix)
        else:
            known = {*self._table, *self._sizes.values}
            fix = did_you_mean(name.replace(PRIME, "'"), known)
            self._report.add("unknown-name", place, f"{name!r}", fix)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
