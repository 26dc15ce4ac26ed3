"""Print the statements of a loop: one node after the other, nested where used once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellwright.ir.graph import Graph, Node
from cellwright.ir.ops import OPS
from cellwright.passes.phases import Loop
from cellwright.passes.roots import value_args

from .memory import Memory
from .ops import CALL, SUMS, C, Form


@dataclass
class Statements:
    """Statements of one loop's body.

    A sum takes the first product that nobody else reads in one step with it, which
    rounds once, and no other one. Whether the product is kept as well does not count.

    Args:
        graph: of the step.
        loop: the loop.
        memory: where values lie that other phases made.
        names: identifiers of all nodes.
        said: names of all nodes, for those that have one of their own.
    """

    graph: Graph
    loop: Loop
    memory: Memory
    names: Sequence[str]
    said: Sequence[str]
    lines: list[str] = field(default_factory=list[str])
    done: dict[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        nodes = self.graph.nodes
        self.readers = Counter(a for node in nodes for a in value_args(node))
        self.computed = {
            n
            for n in self.loop.nodes
            if OPS[nodes[n].op].kind == "elementwise" and not self.memory.is_root(n)
        }
        uses = Counter(a for n in self.loop.nodes for a in self._read_by(n))
        uses.update([*self.loop.kept, *self.loop.written])
        # A product that a sum takes stands in that one.
        inside = (n for n in self.computed if not uses[n])
        uses.subtract([a for n in inside for a in self._read_by(n)])
        self.uses = uses

    def print(self, comments: Mapping[int, str]) -> None:
        """Write the lines that compute every node which has a name or two readers.

        A product that a sum takes stands in the sum, whatever its name.
        """
        for place, accumulator in enumerate(self.loop.accumulators):
            self.done[accumulator.node] = f"acc[{place} * SPREAD]"
        for node in self.loop.nodes:
            if node in self.computed and self.uses[node] and not self._nested(node):
                text, _ = self._form(node)
                if node in comments:
                    self.lines.append(f"/* {comments[node]} */")
                self.lines.append(f"const vec {self.names[node]} = {text};")
                self.done[node] = self.names[node]

    def value(self, node: int) -> str:
        """Return a node's value where nothing binds around it."""
        return self._operand(node, 0)

    def _read_by(self, position: int) -> list[int]:
        """Return what a node reads, a product's factors where it takes that with it."""
        args = value_args(self.graph.nodes[position])
        product = self._taken(position)
        if product is None:
            return [*args]
        other = args[1 - args.index(product)]
        return [*self.graph.nodes[product].args, other]

    def _taken(self, position: int) -> int | None:
        """Return the product that a sum takes in one step with it, if it does."""
        node = self.graph.nodes[position]
        if position not in self.computed or node.op not in SUMS:
            return None
        nodes, readers = self.graph.nodes, self.readers
        lone = (a for a in node.args if nodes[a].op == "mul" and readers[a] == 1)
        return next((a for a in lone if a in self.computed), None)

    def _nested(self, node: int) -> bool:
        kept = node in self.loop.kept or node in self.loop.written
        return not kept and self.uses[node] <= 1 and self.said[node].startswith("%")

    def _operand(self, node: int, strength: int) -> str:
        if node in self.done:
            return self.done[node]
        if node not in self.computed:
            return self.memory.load(node)
        text, own = self._form(node)
        return text if own >= strength else f"({text})"

    def _form(self, position: int) -> tuple[str, int]:
        node = self.graph.nodes[position]
        form = C[node.op]
        product = self._taken(position)
        if product is not None:
            return self._fused(position, product), CALL
        if node.op == "where":
            args = [self._mask(node.args[0]), *map(self.value, node.args[1:])]
        elif node.op == "power":
            exponent = self.graph.nodes[node.args[1]].attr
            args = [self.value(node.args[0]), f"{exponent!r}"]
        else:
            args = self._args(node, form)
        text = form.text.format(*args)
        return (f"one_if({text})", CALL) if form.mask else (text, form.strength)

    def _fused(self, position: int, product: int) -> str:
        """Return a sum and a product of its terms as one call."""
        first, second, other = self._read_by(position)
        # Signs of the first factor and of the other term.
        signs = "", ""
        if self.graph.nodes[position].op == "sub":
            is_first = self.graph.nodes[position].args[0] == product
            signs = ("", "-") if is_first else ("-", "")
        factor, term = (
            sign + self._operand(each, CALL if sign else 0)
            for sign, each in zip(signs, (first, other), strict=True)
        )
        return f"fused({factor}, {self.value(second)}, {term})"

    def _args(self, node: Node, form: Form) -> list[str]:
        pairs = zip(value_args(node), form.args, strict=False)
        return [self._operand(arg, strength) for arg, strength in pairs]

    def _mask(self, position: int) -> str:
        """Return a condition as a mask of lanes."""
        node = self.graph.nodes[position]
        if position in self.computed and position not in self.done and C[node.op].mask:
            form = C[node.op]
            return form.text.format(*self._args(node, form))
        return f"{self._operand(position, 2)} != splat(0)"
