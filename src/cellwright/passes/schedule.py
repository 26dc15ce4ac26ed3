"""Cut a step into phases: what can be done in one walk along a vector stands together.

A product needs its whole operand, a row reduction its whole row, and an elementwise op
only the same entry of its arguments. So a step becomes a list of *loops* over vectors
of one length, each with its products accumulated first, and of reductions and moves
between them. A schedule knows names and lengths, never lanes, tiles or threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import Shape

from .roots import roots_among, value_args


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix, a root or one turned round, times an operand."""

    matrix: int
    operand: int


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A node that is a sum of products and of nothing else."""

    node: int
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A walk along vectors of one shape, or one scalar.

    Args:
        shape: of everything that is computed here.
        accumulators: products that are summed up first.
        nodes: elementwise ops, in order.
        kept: nodes that are laid into memory for later phases.
        written: nodes that are outputs, parts of sums or next values of states.

    What is kept or written and not computed here is copied from where it lies.
    """

    shape: Shape
    accumulators: tuple[Accumulator, ...]
    nodes: tuple[int, ...]
    kept: tuple[int, ...]
    written: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """An op on a whole vector: a row reduction, `concat` or `repeat`."""

    node: int


Phase = Loop | Whole


@dataclass(frozen=True)
class Schedule:
    """A step, cut into phases.

    Args:
        graph: of the step.
        roots: nodes that hang on weights alone; they are given, to slopes too.
        phases: in the order of their work.
        kept: nodes that a later phase reads, and that are no output.
        outputs: nodes whose values at every step are asked for.
        sums: nodes that are summed over all steps and rows.
        after: outer products, summed over all steps and rows once the loop has ended.
    """

    graph: Graph
    roots: tuple[int, ...]
    phases: tuple[Phase, ...]
    kept: tuple[int, ...]
    outputs: tuple[int, ...]
    sums: tuple[int, ...]
    after: tuple[int, ...] = ()


def schedule(
    graph: Graph,
    outputs: Iterable[int],
    sums: Iterable[int] = (),
    roots: Iterable[int] = (),
) -> Schedule:
    """Return the phases of a step.

    Args:
        graph: of the step, its products gathered.
        outputs: nodes whose values at every step are asked for.
        sums: nodes whose sums over steps and rows are asked for; matrices among them
            are sums of outer products.
        roots: nodes that are given beside those that the step reads.
    """
    listed = list(dict.fromkeys(sums))
    matrices = [n for n in listed if len(graph.nodes[n].shape) > 1]
    vectors = [n for n in listed if n not in matrices]
    after = [outer for n in matrices for outer in outer_products(graph, n)]
    needed = [arg for outer in after for arg in graph.nodes[outer].args]
    # An operand that is given, or that is another output, has an array already.
    made = [n for n in needed if not _is_given(graph, n)]
    stored = tuple(dict.fromkeys([*outputs, *made]))
    scheduler = _Scheduler(graph, stored, tuple(vectors), tuple(roots))
    return scheduler.schedule(tuple(dict.fromkeys(after)))


def outer_products(graph: Graph, node: int) -> list[int]:
    """Return the outer products that a matrix's gradient is the sum of."""
    found = graph.nodes[node]
    match found.op:
        case "outer":
            return [node]
        case "add":
            return [outer for arg in found.args for outer in outer_products(graph, arg)]
        case _:
            assert found.op == "const", found.op
            return []


def _is_given(graph: Graph, node: int) -> bool:
    return graph.nodes[node].op == "input"


_FIRST = -1
"""The level of numbers that must lie in memory as vectors."""


@dataclass
class _Scheduler:
    """Puts every node on a level: on one, nothing waits for a whole vector of it.

    Slices, and scalars that fill a vector, are no work: whoever reads them looks at
    their source. Only where the vector itself must lie in memory is a fill copied.
    """

    graph: Graph
    outputs: tuple[int, ...]
    sums: tuple[int, ...]
    roots: tuple[int, ...]
    levels: dict[int, int] = field(default_factory=dict[int, int])
    products: dict[int, tuple[Product, ...]] = field(
        default_factory=dict[int, "tuple[Product, ...]"]
    )
    absorbed: set[int] = field(default_factory=set[int])
    filled: set[int] = field(default_factory=set[int])
    kept: dict[int, None] = field(default_factory=dict[int, None])

    def __post_init__(self) -> None:
        self.nodes = self.graph.nodes
        self.binding = bindings(self.graph)
        nexts = [state.next for state in self.graph.states]
        self.written = list(dict.fromkeys([*self.outputs, *self.sums, *nexts]))
        self.loop = self._in_loop()
        self.uses = Counter(a for n in self.loop for a in value_args(self.nodes[n]))
        self.uses.update(self.written)

    def schedule(self, after: tuple[int, ...]) -> Schedule:
        """Return the phases of the step."""
        self._find_products()
        self._find_vectors()
        work = [n for n in self.loop if n not in self.absorbed]
        for node in work:
            self._place(node)
        for node in self.written:
            if not self._is_local(node):
                self._keep(self._read(node))
        read = {arg for n in self.loop for arg in value_args(self.nodes[n])}
        given = roots_among(self.graph, {*self.roots, *self.written, *read})
        return Schedule(
            self.graph,
            tuple(given),
            tuple(self._phases(work)),
            tuple(sorted(self.kept)),
            self.outputs,
            self.sums,
            after,
        )

    def _in_loop(self) -> list[int]:
        """Return the nodes that a step computes, leaves and roots left out."""
        seen: set[int] = set()
        stack = list(self.written)
        while stack:
            node = stack.pop()
            leaf = not self.nodes[node].args or self.binding[node] == Binding.WEIGHTS
            if node not in seen and not leaf:
                seen.add(node)
                stack += value_args(self.nodes[node])
        return sorted(seen)

    def _find_products(self) -> None:
        """Find the accumulators: products, and sums of nothing but products."""
        for node in self.loop:
            args = self.nodes[node].args
            if self.nodes[node].op == "matmul":
                self.products[node] = (Product(*args),)
            elif self.nodes[node].op == "add" and all(
                arg in self.products and self.uses[arg] == 1 for arg in args
            ):
                parts = [p for arg in args for p in self.products.pop(arg)]
                self.products[node] = tuple(parts)
                self.absorbed.update(args)

    def _find_vectors(self) -> None:
        """Find numbers, and scalars that fill, which are needed as vectors."""
        for node in self.loop:
            for arg in self._operands(node):
                source = self._behind_slices(arg)
                if self.nodes[source].op == "const":
                    self.levels[source] = _FIRST
                elif self.nodes[source].op == "fill":
                    self.filled.add(source)

    def _operands(self, node: int) -> Sequence[int]:
        """Return the arguments that a node needs as whole vectors."""
        if node in self.products:
            return [product.operand for product in self.products[node]]
        kind = OPS[self.nodes[node].op].kind
        whole = kind == "row" or self._is_move(node)
        return self.nodes[node].args if whole else ()

    def _place(self, node: int) -> None:
        """Give a node its level, and its arguments memory where it needs that."""
        if operands := self._operands(node):
            self.levels[node] = max(map(self._whole, operands))
            if node not in self.products:
                self._keep(node)
        elif node in self.filled:
            scalar = self._read(node)
            self.levels[node] = self._entry(scalar)
            self._keep(scalar)
        elif OPS[self.nodes[node].op].kind == "elementwise":
            self._place_in_loop(node)

    def _place_in_loop(self, node: int) -> None:
        args = value_args(self.nodes[node])
        local = [
            arg
            for arg in args
            if self._is_local(arg) and self.nodes[arg].shape == self.nodes[node].shape
        ]
        levels = [self.levels[n] if n in local else self._entry(n) for n in args]
        self.levels[node] = max(levels)
        for arg in args:
            if arg not in local or self.levels[arg] < self.levels[node]:
                self._keep(self._read(arg))

    def _whole(self, node: int) -> int:
        """Return the level at which a vector lies in memory, and see that it does."""
        source = self._behind_slices(node)
        self._keep(source)
        return self.levels.get(source, _FIRST) + 1

    def _entry(self, node: int) -> int:
        """Return the level from which on single entries of a value can be read."""
        return self.levels.get(self._read(node), _FIRST) + 1

    def _keep(self, node: int) -> None:
        """Let a computed node lie in memory; an output does so already."""
        if node in self.levels and not (self._is_local(node) and node in self.outputs):
            self.kept[node] = None

    def _behind_slices(self, node: int) -> int:
        while self.nodes[node].op == "slice" and self.binding[node] > Binding.WEIGHTS:
            node = self.nodes[node].args[0]
        return node

    def _read(self, node: int) -> int:
        """Return the node at whose memory a reader of single entries looks.

        That is never a fill, though it may lie in memory for a product: who reads
        single entries of it may come before it is laid there.
        """
        while self.binding[node] > Binding.WEIGHTS:
            if self.nodes[node].op not in ("slice", "fill"):
                break
            node = self.nodes[node].args[0]
        return node

    def _is_local(self, node: int) -> bool:
        kind = OPS[self.nodes[node].op].kind
        return node in self.levels and kind in ("elementwise", "product")

    def _phases(self, work: Sequence[int]) -> Iterable[Phase]:
        last = max(self.levels.values(), default=0) + 1
        loops: dict[tuple[int, Shape], list[int]] = {}
        wholes: dict[int, list[int]] = {}
        numbers = [n for n in self.levels if self.nodes[n].op == "const"]
        for node in [*numbers, *work]:
            if node not in self.levels:
                continue
            if node not in self.products and self._operands(node):
                wholes.setdefault(self.levels[node], []).append(node)
            else:
                key = (self.levels[node], self.nodes[node].shape)
                loops.setdefault(key, []).append(node)
        for level in range(_FIRST, last):
            yield from (Whole(node) for node in wholes.get(level, []))
            for (at, shape), nodes in loops.items():
                if at == level:
                    yield self._loop(shape, nodes)
        yield from self._copies()

    def _is_move(self, node: int) -> bool:
        return self.nodes[node].op in ("concat", "repeat")

    def _loop(self, shape: Shape, nodes: Sequence[int]) -> Loop:
        return Loop(
            shape,
            tuple(
                Accumulator(n, self.products[n]) for n in nodes if n in self.products
            ),
            tuple(
                n
                for n in nodes
                if OPS[self.nodes[n].op].kind == "elementwise"
                and n not in self.products
            ),
            tuple(n for n in nodes if n in self.kept),
            tuple(n for n in nodes if n in self.written and self._is_local(n)),
        )

    def _copies(self) -> Iterable[Loop]:
        """Copy, at the end of a step, what is written and was computed in no loop."""
        copies: dict[Shape, list[int]] = {}
        for node in self.written:
            if not self._is_local(node):
                copies.setdefault(self.nodes[node].shape, []).append(node)
        for shape, nodes in copies.items():
            yield Loop(shape, (), (), (), tuple(nodes))
