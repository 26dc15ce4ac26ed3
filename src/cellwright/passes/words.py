"""Say in words what the passes have made of a cell: its formulas and its phases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cellwright.ir.formula import formula
from cellwright.ir.ops import OPS

from .phases import Loop, Schedule, Whole
from .pipeline import Back, Forward, Pipeline
from .roots import LEAVES, value_args
from .stages import Stage

_LEAVES = ("const", "transpose", *LEAVES)
"""What needs no line of its own."""

_STAGES = {
    Stage.LAY: "for each step of a block",
    Stage.AHEAD: "for all steps of the block at once",
    Stage.STEP: "for each step",
    Stage.BEHIND: "for all steps of the block at once",
    Stage.PUT: "for each step",
}


def describe(schedule: Schedule, names: Sequence[str]) -> str:
    """Return the phases of a step, one line each.

    Args:
        schedule: of the step.
        names: of all nodes of its graph.

    Example:
        >>> from cellwright.cells import load
        >>> from cellwright.passes.pipeline import compile_graph
        >>> forward = compile_graph(load("elman").graph).forward
        >>> print(describe(forward.schedule, forward.names))  # doctest: +ELLIPSIS
        given: W, U, b
        for each step of a block
          loop over input_size: keep x
        for all steps of the block at once
          loop over hidden_size: accumulate %6 = W @ x; keep %6
        for each step
          loop over hidden_size: accumulate U @ h; compute h'; ...; next h = h'
    """
    words = _Words(schedule, names, [*schedule.kept, *schedule.blocks])
    given = ", ".join(map(words.named, schedule.roots))
    lines = [f"given: {given}"] if given else []
    for stage, phases in schedule.phases.items():
        if phases:
            lines.append(_STAGES[stage])
        lines += [f"  {words.phase(phase)}" for phase in phases]
    if schedule.after:
        products = ", ".join(map(words.defined, schedule.after))
        lines.append(f"after the last step: {products}")
    return "\n".join(lines)


def describe_passes(pipeline: Pipeline) -> str:
    """Return the formulas of both directions: of what has a name or a place."""
    forward = _formulas(pipeline.forward)
    if pipeline.backward is None:
        return "\n".join(["forward", *forward])
    backward = _formulas(pipeline.backward)
    return "\n".join(["forward", *forward, "", "backward", *backward])


def describe_schedule(pipeline: Pipeline) -> str:
    """Return the phases of both directions."""
    parts = ["forward, from the first step to the last", _phases(pipeline.forward)]
    if pipeline.backward is not None:
        title = "backward, from the last step to the first"
        parts += ["", title, _phases(pipeline.backward)]
    return "\n".join(parts)


def _phases(step: Forward | Back) -> str:
    return describe(step.schedule, step.names)


def _formulas(step: Forward | Back) -> Iterable[str]:
    words = _Words(step.schedule, step.names, step.schedule.kept)
    graph = step.schedule.graph
    for node in sorted(words.shown):
        if words.defined(node) != words.called(node):
            yield f"  {words.defined(node)}"
    for value in graph.values:
        if value.name != step.names[value.node]:
            yield f"  {value.name} = {words.called(value.node)}"
    for state in graph.states:
        yield f"  next {state.name} = {words.called(state.next)}"


class _Words:
    """Says nodes of one schedule: those that are shown by name, others as formulas.

    Args:
        schedule: of a step.
        names: of all nodes.
        placed: nodes that are shown because they lie in memory.
    """

    def __init__(self, schedule: Schedule, names: Sequence[str], placed: Sequence[int]):
        self.schedule, self.graph, self.names = schedule, schedule.graph, names
        self.shown = frozenset([*self._shown(), *placed])

    def _shown(self) -> Iterable[int]:
        schedule, nodes = self.schedule, self.graph.nodes
        yield from (root for root in schedule.roots if nodes[root].op not in _LEAVES)
        yield from (*schedule.outputs, *schedule.sums)
        yield from (state.next for state in self.graph.states)
        read = Counter(arg for node in nodes for arg in value_args(node))
        for position, node in enumerate(nodes):
            named = not self.names[position].startswith("%")
            if named or (read[position] > 1 and node.op not in _LEAVES):
                yield position

    def called(self, node: int) -> str:
        """Return a node's name, or its formula if it is not shown by one."""
        leaf = self.graph.nodes[node].op in _LEAVES
        if node in self.shown and not leaf:
            return self.names[node]
        return formula(self.graph, node, self.names, self.shown)

    def defined(self, node: int) -> str:
        """Return a node's name with what it is."""
        said = formula(self.graph, node, self.names, self.shown)
        own = self.called(node)
        return said if own == said else f"{own} = {said}"

    def named(self, node: int) -> str:
        """Return a node's name, with what it is if the name is only a place."""
        own = not self.names[node].startswith("%")
        return self.called(node) if own else self.defined(node)

    def phase(self, phase: Loop | Whole) -> str:
        """Return a phase as a line."""
        if isinstance(phase, Whole):
            row = OPS[self.graph.nodes[phase.node].op].kind == "row"
            return f"{'reduce' if row else 'move'}: {self.defined(phase.node)}"
        parts = {
            "accumulate": [self.defined(a.node) for a in phase.accumulators],
            "compute": [self.named(n) for n in phase.nodes if n in self.shown],
            "keep": [self.called(n) for n in phase.kept],
            **self._written(phase),
        }
        work = "; ".join(f"{verb} {', '.join(p)}" for verb, p in parts.items() if p)
        over = str(phase.shape[0]) if phase.shape else "one number"
        return f"loop over {over}: {work}"

    def _written(self, loop: Loop) -> dict[str, list[str]]:
        nexts = [
            f"{state.name} = {self.called(state.next)}"
            for state in self.graph.states
            if state.next in loop.written
        ]
        return {
            "put out": self._among(loop.written, self.schedule.outputs),
            "sum up": self._among(loop.written, self.schedule.sums),
            "next": nexts,
        }

    def _among(self, nodes: Sequence[int], asked_for: Sequence[int]) -> list[str]:
        return [self.called(n) for n in nodes if n in asked_for]
