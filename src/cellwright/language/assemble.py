"""From built nodes to the graph: what the output does not hang on disappears.

Names and sizes are kept by the text, nodes by what is left after folding: a weight that
a literal 0 annihilates disappears with its shape and its count.
"""

from __future__ import annotations

from collections.abc import Container

from cellwright.ir.graph import (
    Constant,
    Graph,
    Input,
    Node,
    Parameter,
    SizeDeclaration,
    State,
    Value,
)
from cellwright.ir.sizes import Shape, Size
from cellwright.ir.verify import verify

from .build import Built, label
from .check import live_nodes, output_node, state_roots
from .definitions import Definition
from .names import reach_output
from .order import OUTSIDE, Instance


def assemble(built: Built) -> Graph:
    """Return the verified graph of a cell without faults."""
    used = reach_output(built.definitions, built.parsed)
    live = live_nodes(built)
    ops = {(built.builder.nodes[i].op, built.builder.nodes[i].attr) for i in live}
    live |= {
        node
        for (name, _), node in built.nodes.items()
        if name in used
        and built.definitions.table[name].kind == "equation"
        and built.builder.value(node) is not None
    }
    order = sorted(live)
    place = {old: new for new, old in enumerate(order)}
    nodes = _numbered([built.builder.nodes[old] for old in order], place)
    rows = _Rows(built, place, ops, used)
    sizes = rows.sizes(nodes)
    return verify(
        Graph(
            name=built.definitions.source.name,
            nodes=nodes,
            sizes=sizes,
            counts=tuple((n, v) for n, v in built.counts.items() if n in used),
            inputs=rows.inputs(),
            states=rows.states(),
            parameters=rows.parameters(),
            constants=rows.constants(),
            values=rows.values(),
            output=place[output_node(built)],
            whole=_whole(nodes, sizes),
        )
    )


def _numbered(kept: list[Node], place: dict[int, int]) -> tuple[Node, ...]:
    """Return the nodes with arguments at their new places, and draws counted anew."""
    nodes: list[Node] = []
    draws = 0
    for node in kept:
        attr = node.attr
        if node.op in ("uniform", "normal", "glorot", "orthogonal"):
            draws += 1
            attr = draws
        nodes.append(
            Node(node.op, tuple(place[a] for a in node.args), node.shape, attr)
        )
    return tuple(nodes)


def _sizes_of(node: Node) -> list[Size]:
    found = list(node.shape)
    match node.attr:
        case Size():
            found.append(node.attr)
        case tuple():
            found += node.attr
        case _:
            pass
    return found


def _whole(
    nodes: tuple[Node, ...], declared: tuple[SizeDeclaration, ...]
) -> tuple[Size, ...]:
    """Return the sizes that some values of the layer's sizes would break."""
    found: dict[Size, None] = {}
    for declaration in declared:
        if declaration.derived is not None:
            found[declaration.derived] = None
    for node in nodes:
        shape = [nodes[arg].shape for arg in node.args]
        if node.op in ("row_sum", "row_max") and isinstance(node.attr, Size):
            found[shape[0][0] / node.attr] = None
        for size in node.attr[1:] if isinstance(node.attr, tuple) else ():
            found[size] = None
        if isinstance(node.attr, Size) and node.op != "size":
            found[node.attr] = None
        found.update(dict.fromkeys(node.shape))
    return tuple(size for size in found if not size.always_whole)


class _Rows:
    """The declarations of the graph, with nodes at their new places."""

    def __init__(
        self,
        built: Built,
        place: dict[int, int],
        ops: Container[tuple[str, object]],
        used: set[str],
    ):
        self._built = built
        self._place = place
        self._ops = ops
        self._used = used

    def _alive(self, op: str, *kinds: str) -> list[tuple[Definition, Instance, Shape]]:
        """Return what is declared as one of ``kinds`` and has a live node."""
        found: list[tuple[Definition, Instance, Shape]] = []
        for definition in self._built.definitions.table.values():
            if definition.kind in kinds:
                shape = self._built.shapes[definition.key]
                assert shape is not None
                found += [
                    (definition, instance, shape)
                    for instance in self._built.scoping.instances(definition)
                    if instance[1] >= OUTSIDE and (op, label(instance)) in self._ops
                ]
        return found

    def sizes(self, nodes: tuple[Node, ...]) -> tuple[SizeDeclaration, ...]:
        alive = {n for node in nodes for size in _sizes_of(node) for n in size.names}
        alive |= {"input_size", "hidden_size"}
        rows: list[SizeDeclaration] = []
        for key, definition in self._built.definitions.table.items():
            if definition.kind != "size":
                continue
            size = self._built.sizes[key]
            assert size is not None
            default = self._built.defaults.get(key)
            given = size == Size.named(key)
            if size.names <= alive and (given or key in self._used | {"input_size"}):
                rows.append(SizeDeclaration(key, default, None if given else size))
        return tuple(rows)

    def inputs(self) -> tuple[Input, ...]:
        return tuple(
            Input(name, shape, definition.description)
            for definition, (name, _), shape in self._alive("input", "input")
        )

    def states(self) -> tuple[State, ...]:
        rows: list[State] = []
        table = self._built.definitions.table
        for definition, (name, _), shape in self._alive("state", "state"):
            first, after = (self._place[n] for n in state_roots(self._built, name))
            note = definition.description or table[name + "'"].description
            rows.append(State(name, shape, first, after, note))
        return tuple(rows)

    def parameters(self) -> tuple[Parameter, ...]:
        rows: list[Parameter] = []
        for definition, instance, shape in self._alive("parameter", "weight", "bias"):
            init = self._built.inits.get(instance)
            place = None if init is None else self._place[init]
            role = "bias" if definition.kind == "bias" else "weight"
            note = definition.description
            rows.append(Parameter(label(instance), shape, role, place, note))
        return tuple(rows)

    def constants(self) -> tuple[Constant, ...]:
        return tuple(
            Constant(
                label(instance),
                shape,
                self._place[self._built.inits[instance]],
                definition.description,
            )
            for definition, instance, shape in self._alive("constant", "constant")
        )

    def values(self) -> tuple[Value, ...]:
        rows: list[Value] = []
        for key, definition in self._built.definitions.table.items():
            if definition.kind != "equation" or key not in self._used:
                continue
            note = definition.description
            rows += [
                Value(label(instance), self._place[node], note)
                for instance in self._built.scoping.instances(definition)
                if (node := self._built.nodes[instance]) in self._place
            ]
        named = {row.name for row in rows}
        for state in self.states():
            # A state that a for block carries has its value after the step by name too.
            if state.name + "'" not in named:
                rows.append(Value(state.name + "'", state.next, state.description))
        return tuple(rows)
