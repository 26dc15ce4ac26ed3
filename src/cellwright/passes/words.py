"""Say in words what the passes have made of a cell: its formulas and its phases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cellwright.ir.formula import formula
from cellwright.ir.ops import OPS

from .pipeline import Back, Forward, Pipeline
from .roots import LEAVES, value_args
from .schedule import Loop, Schedule, Whole

_LEAVES = ("const", "transpose", *LEAVES)
"""What needs no line of its own."""


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
        loop over hidden_size: accumulate W @ x + U @ h; compute h'; ...; next h = h'
    """
    words = _Words(schedule, names)
    given = ", ".join(map(words.named, schedule.roots))
    lines = [f"given: {given}"] if given else []
    lines += [words.phase(phase) for phase in schedule.phases]
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
    words = _Words(step.schedule, step.names)
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
    """Says nodes of one schedule: those that are shown by name, others as formulas."""

    def __init__(self, schedule: Schedule, names: Sequence[str]):
        self.schedule, self.graph, self.names = schedule, schedule.graph, names
        self.shown = frozenset(self._shown())

    def _shown(self) -> Iterable[int]:
        schedule, nodes = self.schedule, self.graph.nodes
        yield from (root for root in schedule.roots if nodes[root].op not in _LEAVES)
        yield from (*schedule.outputs, *schedule.sums, *schedule.kept)
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
