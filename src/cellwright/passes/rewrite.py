"""Change what a step does, by further inputs: masks, resets, zoneout, dropout.

It is done before a graph is differentiated, so that the backward of each follows. The
further inputs come after the cell's own, under names that no cell file can say:

    ``_keep``      whether the step happens, a scalar
    ``_reset``     whether a new sequence begins at this step, a scalar
    ``_zone_h``    which units of the state h keep their value, in its shape
    ``_share_h``   the share of them on average, a scalar
    ``_drop_x``    what the input x is multiplied by, in its shape
    ``_drop_1``    what a vector is multiplied by before a recurrent product

An input that says yes or no is 1 or 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from cellwright.ir.builder import Builder
from cellwright.ir.graph import (
    Binding,
    Graph,
    Input,
    State,
    Value,
    bindings,
    reachable,
)
from cellwright.ir.sizes import Shape
from cellwright.ir.verify import verify


class Kind(Enum):
    """What a further input is for; its name begins with the value."""

    KEEP = "keep"
    RESET = "reset"
    ZONE = "zone"
    SHARE = "share"
    DROP = "drop"


def input_kind(name: str) -> tuple[Kind, str]:
    """Return what a further input is for, and of what: the rest of its name.

    Args:
        name: of an input that a rewrite has added.

    Raises:
        ValueError: for any other name.

    Example:
        >>> input_kind("_zone_h"), input_kind("_keep")
        ((<Kind.ZONE: 'zone'>, 'h'), (<Kind.KEEP: 'keep'>, ''))
    """
    if not name.startswith("_"):
        raise ValueError(f"{name}: is no input of a rewrite")
    kind, _, subject = name[1:].partition("_")
    return Kind(kind), subject


@dataclass(frozen=True, slots=True)
class Rewrites:
    """Which changes a step has; with the graph, the identity of a kernel.

    The shares of zoneout and dropout are no part of it: they are values of inputs, so
    that another share is no other kernel.

    Args:
        mask: a step may not happen: every state stays as it is, also at a reset, the
            output and every traced value but a state is 0, and inputs are not looked
            at.
        reset: a step may be the first of a new sequence: before it, every state takes
            the first value that the cell declares.
        zoneout: states of which a unit may keep its value. Krueger et al., 2017,
            "Zoneout". arXiv:1606.01305
        zoneout_mean: states that are mixed as zoneout does on average.
        dropout: the first input, and every vector that enters a product and hangs on a
            state, is multiplied by a mask. Gal & Ghahramani, 2016, "A theoretically
            grounded application of dropout in recurrent neural networks".
            arXiv:1512.05287
    """

    mask: bool = False
    reset: bool = False
    zoneout: tuple[str, ...] = ()
    zoneout_mean: tuple[str, ...] = ()
    dropout: bool = False


def rewrite(graph: Graph, rewrites: Rewrites) -> Graph:
    """Return the graph with the changes applied.

    In this order: resets change what a step finds, dropout what its products see,
    zoneout what it carries on, and a mask has the last word. The equations themselves
    see their own next values, as zoneout's authors have it: what a unit keeps is what
    the following step finds. An output that is a state is that state after zoneout.

    Args:
        graph: the cell.
        rewrites: which changes.

    Returns:
        A graph with the inputs that the changes need after its own; the value called
        ``h'`` is what the state h is after the step.

    Example:
        >>> import cellwright as cw
        >>> graph = rewrite(cw.cells.load("gru").graph, Rewrites(mask=True))
        >>> [i.name for i in graph.inputs]
        ['x', '_keep']
    """
    if rewrites == Rewrites():
        return graph
    return verify(_Rewriter(graph, rewrites).graph())


def recurrent_matrices(graph: Graph) -> tuple[str, ...]:
    """Return the parameters that make the matrix of a product hanging on a state.

    Weight dropout acts on these. Merity, Keskar & Socher, 2018, "Regularizing and
    optimizing LSTM language models". arXiv:1708.02182

    Example:
        >>> import cellwright as cw
        >>> recurrent_matrices(cw.cells.load("lstm_proj").graph)[-2:]
        ('U_o', 'P')
    """
    binding = bindings(graph)
    matrices = {
        node.args[0]
        for node in graph.nodes
        if node.op == "matmul" and binding[node.args[1]] == Binding.STEP
    }
    below = [graph.nodes[i] for i in reachable(graph.nodes, matrices)]
    names = {node.attr for node in below if node.op == "parameter"}
    return tuple(
        p.name for p in graph.parameters if len(p.shape) > 1 and p.name in names
    )


class _Rewriter:
    """Copies a graph, and changes nodes on the way."""

    def __init__(self, graph: Graph, rewrites: Rewrites):
        self._old = graph
        self._on = rewrites
        self._builder = Builder()
        self._binding = bindings(graph)
        self._place: dict[int, int] = {}
        self._dropped: dict[int, int] = {}
        self._extra: list[Input] = []
        # What hangs on the weights alone is not changed, and a reset needs it in place.
        for position, binding in enumerate(self._binding):
            if binding == Binding.WEIGHTS:
                self._place[position] = self._copied(position)
        self._keep = self._input(Kind.KEEP) if rewrites.mask else None
        self._found = {
            s.name: self._builder.leaf("state", s.name, s.shape) for s in graph.states
        }
        self._before = self._states_before()
        self._zones = {
            name: self._input(kind, name, shape) for kind, name, shape in self._zoned()
        }
        for position in range(len(graph.nodes)):
            if position not in self._place:
                self._place[position] = self._changed(position)

    def graph(self) -> Graph:
        """Return the changed graph."""
        old, place = self._old, self._place
        carried = {s.name: self._carried(s) for s in old.states}
        after = {n: self._if_kept(v, self._found[n]) for n, v in carried.items()}
        output = next(
            (carried[s.name] for s in old.states if s.next == old.output),
            place[old.output],
        )
        return replace(
            old,
            inputs=(*old.inputs, *self._extra),
            states=tuple(
                replace(s, first=place[s.first], next=after[s.name]) for s in old.states
            ),
            parameters=tuple(
                replace(p, init=None if p.init is None else place[p.init])
                for p in old.parameters
            ),
            constants=tuple(replace(c, init=place[c.init]) for c in old.constants),
            values=tuple(replace(v, node=self._traced(v, after)) for v in old.values),
            output=self._if_kept(output),
            nodes=tuple(self._builder.nodes),
        )

    def _input(self, kind: Kind, subject: str = "", shape: Shape = ()) -> int:
        name = f"_{kind.value}_{subject}" if subject else f"_{kind.value}"
        self._extra.append(Input(name, shape))
        return self._builder.leaf("input", name, shape)

    def _copied(self, position: int) -> int:
        node = self._old.nodes[position]
        return self._builder.copy(node, *(self._place[arg] for arg in node.args))

    def _changed(self, position: int) -> int:
        """Return the place of a node that hangs on an input or a state."""
        node = self._old.nodes[position]
        match node.op:
            case "state":
                return self._before[str(node.attr)]
            case "input":
                seen = self._if_kept(self._copied(position))
                first = self._old.inputs[0].name
                if self._on.dropout and node.attr == first:
                    mask = self._input(Kind.DROP, first, node.shape)
                    return self._builder.op("mul", seen, mask)
                return seen
            case "matmul" if self._on.dropout:
                matrix, vector = node.args
                seen = self._with_dropout(vector)
                return self._builder.copy(node, self._place[matrix], seen)
            case _:
                return self._copied(position)

    def _with_dropout(self, position: int) -> int:
        """Return a product's vector with its mask, if it hangs on a state."""
        if self._binding[position] < Binding.STEP:
            return self._place[position]
        node = self._old.nodes[position]
        if node.op == "concat":
            # [x, h] holds an x that has its mask already.
            parts = [self._with_dropout(arg) for arg in node.args]
            return self._builder.copy(node, *parts)
        if position not in self._dropped:
            number = str(len(self._dropped) + 1)
            mask = self._input(Kind.DROP, number, node.shape)
            seen = self._builder.op("mul", self._place[position], mask)
            self._dropped[position] = seen
        return self._dropped[position]

    def _states_before(self) -> dict[str, int]:
        """Return what each state is when a step begins, resets included."""
        if not self._on.reset:
            return self._found
        reset = self._input(Kind.RESET)
        return {
            s.name: self._builder.op(
                "where", reset, self._place[s.first], self._found[s.name]
            )
            for s in self._old.states
        }

    def _zoned(self) -> Iterator[tuple[Kind, str, Shape]]:
        """Return what kind of further input zoneout needs for which states."""
        for s in self._old.states:
            if s.name in self._on.zoneout:
                yield Kind.ZONE, s.name, s.shape
            elif s.name in self._on.zoneout_mean:
                yield Kind.SHARE, s.name, ()

    def _carried(self, state: State) -> int:
        """Return what a state is after a step that happens."""
        b, before = self._builder, self._before[state.name]
        value, zone = self._place[state.next], self._zones.get(state.name)
        if zone is None:
            return value
        if state.name in self._on.zoneout:
            return b.op("where", zone, before, value)
        rest = b.op("sub", b.const(1), zone)
        return b.op("add", b.op("mul", zone, before), b.op("mul", rest, value))

    def _traced(self, value: Value, after: Mapping[str, int]) -> int:
        bare = value.name.removesuffix("'")
        if bare != value.name and bare in after:
            return after[bare]
        return self._if_kept(self._place[value.node])

    def _if_kept(self, value: int, otherwise: int | None = None) -> int:
        """Return a value, or at a step that does not happen another one, else 0."""
        b = self._builder
        if self._keep is None or len(b.shape(value)) > 1:
            # A traced matrix is made of weights: it has no steps.
            return value
        no = b.const(0) if otherwise is None else otherwise
        return b.op("where", self._keep, value, no)
