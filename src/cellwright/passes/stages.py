"""When a step's nodes are computed: ahead of a block of steps, in them, behind them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.ops import OPS

from .roots import made_of, value_args


class Stage(IntEnum):
    """A stage of a block of steps; two of them see all its steps as so many rows."""

    LAY = 0
    """Step by step: inputs are laid side by side."""
    AHEAD = 1
    """All at once: products of what is given."""
    STEP = 2
    """Step by step: what hangs on the step before."""
    BEHIND = 3
    """All at once: products that no later step waits for."""
    PUT = 4
    """Step by step: what they made is put where it is asked for."""

    @property
    def is_of_block(self) -> bool:
        """Whether it runs over all steps of a block at once."""
        return self in (Stage.AHEAD, Stage.BEHIND)


def stages(graph: Graph, nodes: Sequence[int]) -> dict[int, Stage]:
    """Return the stage of every node that a step computes.

    Products and row reductions of what is given are ahead, with what they are made of.
    Products that no state hangs on are behind, with what hangs on them. The rest is
    cheap where it stands beside what it is used with.

    Args:
        graph: of the step, its products gathered.
        nodes: in order; leaves and roots left out.
    """
    ahead = _ahead(graph, nodes)
    reaching = made_of(graph, [state.next for state in graph.states])
    found: dict[int, Stage] = {}
    for node in nodes:
        late = graph.nodes[node].op == "matmul" or any(
            found.get(arg) == Stage.BEHIND for arg in value_args(graph.nodes[node])
        )
        if node in ahead:
            found[node] = Stage.AHEAD
        elif late and node not in reaching:
            found[node] = Stage.BEHIND
        else:
            found[node] = Stage.STEP
    return found


def _ahead(graph: Graph, nodes: Sequence[int]) -> set[int]:
    binding = bindings(graph)
    given = {n for n in nodes if binding[n] == Binding.INPUT}
    heavy = {
        n
        for n in given
        if graph.nodes[n].op == "matmul" or OPS[graph.nodes[n].op].kind == "row"
    }
    found = made_of(graph, heavy) & given
    sums = {n for n in heavy if graph.nodes[n].op == "matmul"}
    for node in nodes:
        # A sum of products is one with them.
        args = graph.nodes[node].args
        if graph.nodes[node].op == "add" and sums.issuperset(args):
            sums.add(node)
    return found | sums
