"""From built nodes to the graph: what reaches the output stays, the rest must explain.

Two questions are kept apart. *By name*: does anything that reaches the output name it?
If not, and the file itself wrote it, that is a fault. *By node*: is it still there after
a literal 0 has annihilated? If not, it disappears with its shape and its count.
"""

from __future__ import annotations

from cellwright.ir.graph import (
    Constant,
    Graph,
    Input,
    Node,
    Parameter,
    SizeDeclaration,
    State,
    Value,
    reachable,
)
from cellwright.ir.sizes import Shape, Size
from cellwright.ir.verify import verify

from .build import Built
from .definitions import Definition
from .order import FIRST, OUTSIDE, Instance, names
from .report import Report, Span, did_you_mean


def check(built: Built, report: Report, strict: bool) -> None:
    """Note what a whole cell still lacks, and what its own file writes for nothing."""
    definitions = built.definitions
    table = definitions.table
    for definition in table.values():
        _check_primes(built, definition, report)
    kinds = {definition.kind for definition in table.values()}
    missing = [kind for kind in ("input", "state") if kind not in kinds]
    if missing:
        report.add("no-input", _top(built), f"it has no {' and no '.join(missing)}")
    _check_labels(built, report)
    _check_output(built, report)
    if strict and not report:
        _check_unused(built, report)


def assemble(built: Built) -> Graph:
    """Return the verified graph of a cell without faults."""
    live, states = _live(built)
    order = sorted(live)
    place = {old: new for new, old in enumerate(order)}
    nodes = tuple(
        Node(n.op, tuple(place[arg] for arg in n.args), n.shape, n.attr)
        for n in (built.builder.nodes[old] for old in order)
    )
    leaves = {(n.op, n.attr) for n in nodes}
    rows = _Rows(built, place, leaves)
    return verify(
        Graph(
            name=built.definitions.source.name,
            nodes=nodes,
            sizes=rows.sizes(),
            counts=rows.counts(),
            inputs=rows.inputs(),
            states=rows.states(states),
            parameters=rows.parameters(),
            constants=rows.constants(),
            values=rows.values(),
            output=place[_output(built)],
            whole=tuple(built.sizes.whole),
        )
    )


def used_by_name(built: Built) -> set[str]:
    """Return every name that reaches the output by the text alone."""
    definitions = built.definitions
    table = definitions.table
    seen: set[str] = set()
    stack = [definitions.output_key]
    while stack:
        key = stack.pop()
        definition = table.get(key)
        if key in seen or definition is None:
            continue
        seen.add(key)
        used = names(built.trees.get(key))
        for dim in definition.shape or ():
            used += names(dim.size.parse(Report()))
        if definition.kind in ("size", "count") and definition.value is not None:
            used += names(definition.value.parse(Report()))
        if definition.kind == "state" or definitions.carried(key):
            used.append(key + "'")
        if definition.in_block and definitions.block is not None:
            used.append(definitions.block.count.text)
            if key.endswith("'"):
                used.append(key.removesuffix("'"))
        stack += used
    return seen


def _top(built: Built) -> Span:
    return Span(built.definitions.source, 1, 0)


def _check_primes(built: Built, definition: Definition, report: Report) -> None:
    definitions = built.definitions
    key = definition.key
    if definition.kind == "state" and key + "'" not in definitions.table:
        found = f"the state {key} has no equation"
        fix = f"write {key}' = ..."
        report.add("missing-equation", definition.span, found, fix)
    if not key.endswith("'"):
        if definition.in_block and definitions.carried(key):
            found = f"{key} is defined in the block, and carried by {key}'"
            report.add("twice", definition.span, found)
        return
    before = definitions.without_prime(key)
    if not definition.in_block and (before is None or before.kind != "state"):
        states = [d.key + "'" for d in definitions.table.values() if d.kind == "state"]
        fix = did_you_mean(key, states) or f"declare it: state {key[:-1]} [...]"
        report.add("no-state", definition.span, f"{key[:-1]!r} is no state", fix)


def _check_labels(built: Built, report: Report) -> None:
    """In the graph n of micro-step 2 is n_2: nothing else may be called so."""
    table = built.definitions.table
    for definition in table.values():
        for instance in built.scoping.instances(definition):
            other = table.get(label(instance))
            if instance[1] >= 0 and other is not None:
                found = f"{definition.key} of micro-step {instance[1]} is {other.key} too"
                report.add("twice", other.span, found)


def _check_output(built: Built, report: Report) -> None:
    definitions = built.definitions
    key, span = definitions.output_key, definitions.output
    if span is None:
        report.add("output", _top(built), "it has none", "write output h'")
        return
    definition = definitions.table.get(key)
    if definition is None or built.scoping.meaning(key, OUTSIDE) is None:
        fix = did_you_mean(key, definitions.table)
        report.add("unknown-name", span, f"{key!r}", fix)
    elif definition.kind == "state":
        found = f"{key} is the value before the step"
        report.add("output", span, found, f"write {key}'")
    elif definition.kind != "equation":
        report.add("output", span, f"{key} is a {definition.kind}")


def _check_unused(built: Built, report: Report) -> None:
    used = used_by_name(built)
    live, _ = _live(built)
    leaves = {(n.op, n.attr) for n in (built.builder.nodes[i] for i in live)}
    base = built.definitions.base
    for definition in built.definitions.table.values():
        key = definition.key
        if not definition.own or key == "input_size":
            continue
        if key not in used:
            known = base.table if base is not None else {}
            near = did_you_mean(key, {*known} - {key})
            fix = near or "remove it, or use it"
            report.add("unused", definition.span, f"nothing uses {key!r}", fix)
        elif not _survives(definition, built, leaves):
            found = f"{key!r} is used, but a literal 0 or a known choice removes it"
            report.add("unused", definition.span, found, "remove it")


def _survives(
    definition: Definition, built: Built, leaves: set[tuple[str, object]]
) -> bool:
    kind = definition.kind
    if kind not in ("input", "state", "weight", "bias", "constant"):
        return True
    op = "parameter" if kind in ("weight", "bias") else kind
    labels = {label(instance) for instance in built.scoping.instances(definition)}
    return any((op, label) in leaves for label in labels)


def label(instance: Instance) -> str:
    """Return the name of an instance in the graph: ``R_n_2`` in micro-step 2."""
    name, step = instance
    return name if step < 0 else f"{name.removesuffix(chr(39))}_{step}"


def _output(built: Built) -> int:
    meaning = built.scoping.meaning(built.definitions.output_key, OUTSIDE)
    assert meaning is not None
    return built.nodes[meaning]


def _live(built: Built) -> tuple[set[int], list[Definition]]:
    """Return the nodes that the output hangs on through any number of steps."""
    nodes = built.builder.nodes
    table = built.definitions.table
    roots = {_output(built)}
    states: dict[str, Definition] = {}
    live: set[int] = set()
    while True:
        live = reachable(nodes, roots)
        wanted: set[int] = set()
        for position in live:
            node, name = nodes[position], str(nodes[position].attr)
            if node.op == "state":
                after = built.scoping.meaning(name + "'", OUTSIDE)
                assert after is not None
                states[name] = table[name]
                wanted |= {built.nodes[after], built.nodes[name, FIRST]}
        for instance, init in built.inits.items():
            if built.nodes[instance] in live:
                wanted.add(init)
        if wanted <= roots:
            break
        roots |= wanted
    ordered = [d for d in table.values() if d.key in states]
    used = used_by_name(built)
    for instance, node in built.nodes.items():
        if _is_value(built, instance) and instance[0] in used:
            if built.builder.value(node) is not None:
                live.add(node)
    return live, ordered


def _is_value(built: Built, instance: Instance) -> bool:
    return built.definitions.table[instance[0]].kind == "equation"


class _Rows:
    """The declarations of the graph, with nodes at their new places."""

    def __init__(
        self, built: Built, place: dict[int, int], leaves: set[tuple[str, object]]
    ):
        self._built = built
        self._place = place
        self._leaves = leaves
        self._used = used_by_name(built)

    def _declared(self, *kinds: str) -> list[tuple[Definition, Instance]]:
        return [
            (definition, instance)
            for definition in self._built.definitions.table.values()
            if definition.kind in kinds
            for instance in self._built.scoping.instances(definition)
        ]

    def _shape(self, definition: Definition) -> Shape:
        return self._built.shapes[definition.key]

    def sizes(self) -> tuple[SizeDeclaration, ...]:
        rows: list[SizeDeclaration] = []
        for _, (name, _) in self._declared("size"):
            size = self._built.sizes.values[name]
            derived = None if size == Size.named(name) else size
            if name in self._used or name == "input_size":
                default = self._built.defaults.get(name)
                rows.append(SizeDeclaration(name, default, derived))
        return tuple(rows)

    def counts(self) -> tuple[tuple[str, int], ...]:
        return tuple((n, v) for n, v in self._built.counts.items() if n in self._used)

    def inputs(self) -> tuple[Input, ...]:
        return tuple(
            Input(name, self._shape(definition), definition.description)
            for definition, (name, _) in self._declared("input")
            if ("input", name) in self._leaves
        )

    def states(self, live: list[Definition]) -> tuple[State, ...]:
        rows: list[State] = []
        for definition in live:
            name = definition.key
            after = self._built.scoping.meaning(name + "'", OUTSIDE)
            assert after is not None
            first = self._place[self._built.nodes[name, FIRST]]
            following = self._place[self._built.nodes[after]]
            text = definition.description
            text = text or self._built.definitions.table[name + "'"].description
            rows.append(State(name, self._shape(definition), first, following, text))
        return tuple(rows)

    def parameters(self) -> tuple[Parameter, ...]:
        rows: list[Parameter] = []
        for definition, instance in self._declared("weight", "bias"):
            name = label(instance)
            if ("parameter", name) not in self._leaves:
                continue
            init = self._built.inits.get(instance)
            place = None if init is None else self._place[init]
            role = "bias" if definition.kind == "bias" else "weight"
            shape = self._shape(definition)
            rows.append(Parameter(name, shape, role, place, definition.description))
        return tuple(rows)

    def constants(self) -> tuple[Constant, ...]:
        return tuple(
            Constant(
                instance[0],
                self._shape(definition),
                self._place[self._built.inits[instance]],
                definition.description,
            )
            for definition, instance in self._declared("constant")
            if ("constant", instance[0]) in self._leaves
        )

    def values(self) -> tuple[Value, ...]:
        return tuple(
            Value(label(instance), self._place[node], definition.description)
            for definition, instance in self._declared("equation")
            if definition.key in self._used
            and (node := self._built.nodes.get(instance)) in self._place
            and node is not None
        )
