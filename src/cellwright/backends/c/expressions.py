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
from .ops import CALL, C, Form


@dataclass
class Statements:
    """Statements of one loop's body.

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
        uses = Counter(a for n in self.loop.nodes for a in value_args(nodes[n]))
        uses.update([*self.loop.kept, *self.loop.written])
        self.uses = uses
        self.computed = {
            n
            for n in self.loop.nodes
            if OPS[nodes[n].op].kind == "elementwise" and not self.memory.is_root(n)
        }

    def print(self, comments: Mapping[int, str]) -> list[str]:
        """Return the lines that compute every node which has a name or a reader."""
        for place, accumulator in enumerate(self.loop.accumulators):
            self.done[accumulator.node] = f"acc[{place} * SPREAD]"
        for node in self.loop.nodes:
            if node in self.computed and not self._nested(node):
                text, _ = self._form(node)
                if node in comments:
                    self.lines.append(f"/* {comments[node]} */")
                self.lines.append(f"const vec {self.names[node]} = {text};")
                self.done[node] = self.names[node]
        return self.lines

    def value(self, node: int) -> str:
        """Return a node's value where nothing binds around it."""
        return self._operand(node, 0)

    def _nested(self, node: int) -> bool:
        kept = node in self.loop.kept or node in self.loop.written
        return not kept and self.uses[node] <= 1 and self.said[node].startswith("%")

    def _operand(self, node: int, strength: int) -> str:
        if node in self.done:
            return self.done[node]
        if node not in self.computed:
            return self.memory.load(node, self.loop.shape)
        text, own = self._form(node)
        return text if own >= strength else f"({text})"

    def _form(self, position: int) -> tuple[str, int]:
        node = self.graph.nodes[position]
        form = C[node.op]
        if node.op == "where":
            args = [self._mask(node.args[0]), *map(self.value, node.args[1:])]
        elif node.op == "power":
            exponent = self.graph.nodes[node.args[1]].attr
            args = [self.value(node.args[0]), f"{exponent!r}"]
        else:
            args = self._args(node, form)
        text = form.text.format(*args)
        return (f"one_if({text})", CALL) if form.mask else (text, form.strength)

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
