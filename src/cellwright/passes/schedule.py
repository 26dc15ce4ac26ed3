"""Cut a step into phases: what can be done in one walk along a vector stands together.

A product needs its whole operand, a row reduction its whole row, and an elementwise op
only the same entry of its arguments. So a step becomes a list of *loops* over vectors
of one length, each with its products accumulated first, and of reductions and moves
between them.

What no state has a part in, such as ``W @ x``, need not wait for the step before, and
what has no part in any state, such as the gradient of x, keeps no step waiting. Steps
are run in blocks, and such products stand ahead of a block's steps, or behind them:
over all of them at once, so that a matrix is read once a block. `stages` says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import Shape

from .phases import Accumulator, Loop, Phase, Product, Schedule, Whole
from .roots import made_of, roots_among, value_args
from .stages import Stage, stages


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
    light: set[int] = field(default_factory=set[int])
    kept: dict[int, None] = field(default_factory=dict[int, None])
    blocks: dict[int, None] = field(default_factory=dict[int, None])

    def __post_init__(self) -> None:
        self.nodes = self.graph.nodes
        self.binding = bindings(self.graph)
        nexts = [state.next for state in self.graph.states]
        self.written = list(dict.fromkeys([*self.outputs, *self.sums, *nexts]))
        self.loop = self._in_loop()
        self.stage = stages(self.graph, self.loop)
        self.readers: dict[int, list[int]] = {}
        for node in self.loop:
            for arg in value_args(self.nodes[node]):
                self.readers.setdefault(arg, []).append(node)
        self.uses = Counter({n: len(found) for n, found in self.readers.items()})
        self.uses.update(self.written)

    def schedule(self, after: tuple[int, ...]) -> Schedule:
        """Return the phases of the step."""
        self._find_products()
        self._find_vectors()
        work = [n for n in self.loop if n not in self.absorbed]
        for node in work:
            self._place(node)
        for node in reversed(work):
            self._sink(node)
        for node in work:
            self._lay(node)
        for node in self.written:
            if not self._is_written_at_once(node):
                source = self._read(node)
                self._keep(source, self._stage_of_copy(node))
        read = {arg for n in self.loop for arg in value_args(self.nodes[n])}
        given = roots_among(self.graph, {*self.roots, *self.written, *read})
        return Schedule(
            self.graph,
            tuple(given),
            {stage: tuple(self._phases(stage, work)) for stage in Stage},
            tuple(sorted(self.kept.keys() - self.blocks.keys())),
            tuple(sorted(self.blocks)),
            self.outputs,
            self.sums,
            after,
        )

    def _in_loop(self) -> list[int]:
        """Return the nodes that a step computes, leaves and roots left out."""
        return sorted(
            node
            for node in made_of(self.graph, self.written)
            if self.nodes[node].args and self.binding[node] > Binding.WEIGHTS
        )

    def _find_products(self) -> None:
        """Find the accumulators: products, and sums of nothing but products."""
        for node in self.loop:
            args = self.nodes[node].args
            if self.nodes[node].op == "matmul":
                self.products[node] = (Product(*args),)
            elif self.nodes[node].op == "add" and all(
                arg in self.products
                and self.uses[arg] == 1
                and self.stage[arg] == self.stage[node]
                for arg in args
            ):
                parts = [p for arg in args for p in self.products.pop(arg)]
                self.products[node] = tuple(parts)
                self.absorbed.update(args)

    def _find_vectors(self) -> None:
        """Find numbers, and scalars that fill, which are needed as vectors.

        A number that is a next value as well is laid in the step: the one after it
        reads that, however late the product whose operand it is.
        """
        nexts = {state.next for state in self.graph.states}
        for node in self.loop:
            for arg in self._operands(node):
                source = self._behind_slices(arg)
                if self.nodes[source].op == "const":
                    self.levels[source] = _FIRST
                    readers = {self.stage[node], self.stage.get(source, Stage.PUT)}
                    if source in nexts:
                        readers.add(Stage.STEP)
                    self.stage[source] = min(readers)
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
        """Give a node the first level on which it can be computed."""
        stage = self.stage[node]
        if operands := self._operands(node):
            sources = [self._behind_slices(arg) for arg in operands]
            self.levels[node] = max(self._level(n, stage) + 1 for n in sources)
        elif node in self.filled:
            self.levels[node] = self._entry(self._read(node), stage)
        elif OPS[self.nodes[node].op].kind == "elementwise":
            args, local = value_args(self.nodes[node]), self._local_args(node)
            self.levels[node] = max(
                self.levels[n] if n in local else self._entry(n, stage) for n in args
            )
            if self._is_light(node):
                self.light.add(node)

    def _sink(self, node: int) -> None:
        """Compute what hangs on given vectors and numbers alone where it is read.

        On an earlier level it would have to be laid into memory, and they are there.
        """
        readers = self.readers.get(node, [])
        if node not in self.light or not readers:
            return
        if all(node in self._local_args(reader) for reader in readers):
            self.levels[node] = min(self.levels[reader] for reader in readers)

    def _is_light(self, node: int) -> bool:
        """Whether an op hangs on given vectors and numbers alone, if by others too."""
        sources = map(self._read, value_args(self.nodes[node]))
        return all(
            not self.nodes[source].shape
            or source in self.light
            or self._level(source, self.stage[node]) == _FIRST
            for source in sources
        )

    def _lay(self, node: int) -> None:
        """Give a node's arguments, and itself, memory where they need that."""
        stage = self.stage[node]
        if operands := self._operands(node):
            for arg in operands:
                self._keep(self._behind_slices(arg), stage)
            if node not in self.products:
                self._keep(node, stage)
        elif node in self.filled:
            self._keep(self._read(node), stage)
        elif OPS[self.nodes[node].op].kind == "elementwise":
            local = self._local_args(node)
            for arg in value_args(self.nodes[node]):
                if arg not in local or self.levels[arg] < self.levels[node]:
                    self._keep(self._read(arg), stage)

    def _local_args(self, node: int) -> list[int]:
        """Return the arguments that a node's own loop may have computed."""
        return [
            arg
            for arg in value_args(self.nodes[node])
            if OPS[self.nodes[node].op].kind == "elementwise"
            and self._is_local(arg)
            and self.nodes[arg].shape == self.nodes[node].shape
            and self.stage[arg] == self.stage[node]
        ]

    def _entry(self, node: int, stage: Stage) -> int:
        """Return the level from which on single entries of a value can be read."""
        return self._level(self._read(node), stage) + 1

    def _level(self, node: int, stage: Stage) -> int:
        """Return a node's level; what an earlier stage left is there from the first."""
        before = self.stage.get(node, stage) < stage
        return _FIRST if before else self.levels.get(node, _FIRST)

    def _keep(self, node: int, reader: Stage) -> None:
        """Let a node lie in memory where a stage reads it.

        An output does so already, for the other phases of its step. Those that run
        over a block want it beside those of the block's other steps.
        """
        computed = node in self.levels
        leaf = self.nodes[node].op in ("input", "state")
        own = self.stage[node] if computed else Stage.STEP
        across = computed and not own == reader == Stage.STEP
        if across or (leaf and reader.is_of_block):
            self.blocks[node] = None
        elif computed and not (self._is_local(node) and node in self.outputs):
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

    def _is_written_at_once(self, node: int) -> bool:
        """Whether what is asked for is written where it is computed."""
        return self._is_local(node) and self.stage[node] == Stage.STEP

    def _stage_of_copy(self, node: int) -> Stage:
        """Return when a node that is not written at once is copied."""
        behind = self.stage.get(self._read(node)) == Stage.BEHIND
        return Stage.PUT if behind else Stage.STEP

    def _phases(self, stage: Stage, work: Sequence[int]) -> Iterable[Phase]:
        last = max(self.levels.values(), default=0) + 1
        loops: dict[tuple[int, Shape], list[int]] = {}
        wholes: dict[int, list[int]] = {}
        numbers = [n for n in self.levels if self.nodes[n].op == "const"]
        for node in [*numbers, *work]:
            if node not in self.levels or self.stage[node] != stage:
                continue
            if node not in self.products and self._operands(node):
                wholes.setdefault(self.levels[node], []).append(node)
            else:
                key = (self.levels[node], self.nodes[node].shape)
                loops.setdefault(key, []).append(node)
        yield from self._leaves(stage)
        for level in range(_FIRST, last):
            yield from (Whole(node) for node in wholes.get(level, []))
            for (at, shape), nodes in loops.items():
                if at == level:
                    yield self._loop(shape, nodes)
        yield from self._copies(stage)

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
            tuple(n for n in nodes if n in self.kept or n in self.blocks),
            tuple(
                n for n in nodes if n in self.written and self._is_written_at_once(n)
            ),
        )

    def _leaves(self, stage: Stage) -> Iterable[Loop]:
        """Copy inputs and states that are read for a whole block."""
        op = {Stage.LAY: "input", Stage.STEP: "state"}.get(stage)
        found = [n for n in sorted(self.blocks) if self.nodes[n].op == op]
        for shape, nodes in self._by_shape(found):
            yield Loop(shape, (), (), nodes, ())

    def _copies(self, stage: Stage) -> Iterable[Loop]:
        """Copy what is written and was not where it was computed."""
        found = [
            node
            for node in self.written
            if not self._is_written_at_once(node) and self._stage_of_copy(node) == stage
        ]
        for shape, nodes in self._by_shape(found):
            yield Loop(shape, (), (), (), nodes)

    def _by_shape(
        self, nodes: Iterable[int]
    ) -> Iterable[tuple[Shape, tuple[int, ...]]]:
        found: dict[Shape, list[int]] = {}
        for node in nodes:
            found.setdefault(self.nodes[node].shape, []).append(node)
        return [(shape, tuple(each)) for shape, each in found.items()]
