"""What a schedule means: an executable specification, phase by phase in torch.

A phase sees nothing but memory: what was given, and what an earlier phase laid there.
A walk along vectors reads the same entry of everything, so slices and scalars that
fill are looked through; a product or an op on a whole vector needs the vector itself.
A stage that runs over a block of steps sees what lies there for the block, and no more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from backward_reference import (
    DOUBLE,
    Leaf,
    batch,
    by_row,
    of_parameters,
    resolved,
    with_axis,
)
from cellwright.backends.reference.interpret import Arguments, Weights, resolve
from cellwright.backends.reference.ops import TORCH, number
from cellwright.ir.graph import Node
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import Shape
from cellwright.passes.differentiate import OUTPUT
from cellwright.passes.phases import Loop, Schedule, Whole
from cellwright.passes.pipeline import Back, Forward, Pipeline
from cellwright.passes.schedule import outer_products
from cellwright.passes.stages import Stage
from strategies import Problem


class NotThereError(AssertionError):
    """A phase reads what does not lie in memory."""


class Step:
    """One step of a schedule.

    Args:
        schedule: its phases are run in their order.
        problem: gives sizes and the batch.
        roots: values of the schedule's roots, by node.
        leaf: gives inputs, and states before the step.

    Attributes:
        block: what lies in memory for the whole block.
    """

    def __init__(
        self,
        schedule: Schedule,
        problem: Problem,
        roots: Mapping[int, Tensor],
        leaf: Leaf,
    ):
        self.schedule, self.problem, self.leaf = schedule, problem, leaf
        self.nodes = schedule.graph.nodes
        self.roots = dict(roots)
        self.block: dict[int, Tensor] = {}
        self.memory: dict[int, Tensor] = {}
        self.stage = Stage.LAY
        self.written: dict[int, Tensor] = {}
        self.laid: Counter[int] = Counter()
        self.read: set[int] = set()

    def run(self, stage: Stage) -> None:
        """Run a stage's phases; of earlier ones the block's memory alone is left."""
        self.stage = stage
        self.memory = {**self.roots, **self.block}
        for phase in self.schedule.phases[stage]:
            self._whole(phase) if isinstance(phase, Whole) else self._loop(phase)

    def asked_for(self, node: int) -> Tensor:
        """Return an output, a sum or a next value, with a row of its own each."""
        return by_row(self.written[node], self.nodes[node].shape, self.problem)

    def _op(self, node: int, args: Sequence[Tensor]) -> Tensor:
        found = self.nodes[node]
        if found.op == "surrogate":
            value = args[0].clone()
        else:
            value = TORCH[found.op](args, resolve(found.attr, self.problem.sizes))
        # A vector that is computed from scalars alone has one entry so far.
        shape = resolved(found.shape, self.problem.sizes)
        return value.expand(*value.shape[: -len(shape)], *shape) if shape else value

    def _at(self, node: int) -> Tensor:
        found = self.nodes[node]
        leaf = found.op in ("input", "state")
        if node in self.memory and not (leaf and not self.stage.is_of_block):
            self.read.add(node)
            return self.memory[node]
        if leaf and not self.stage.is_of_block:
            assert found.op == "input" or self.stage == Stage.STEP
            return self.leaf(found)
        if found.op == "slice":
            return self._op(node, [self._at(found.args[0])])
        raise NotThereError(f"%{node} {found.op} is read before it lies in memory")

    def _entry(self, node: int, shape: Shape) -> Tensor:
        """Return what a walk along vectors of a shape reads of a node."""
        found = self.nodes[node]
        assert found.shape in ((), shape), f"%{node} has no entry for each of {shape}"
        if node not in self.memory and found.op == "const":
            assert isinstance(found.attr, float)
            return number(found.attr, resolved(found.shape, self.problem.sizes), DOUBLE)
        # Entries of a fill are its scalar, also where a product has it laid out: who
        # reads them may come before that.
        source = node
        while source not in self.schedule.roots:
            if self.nodes[source].op == "fill":
                return self._copied(source, self.nodes[source].shape)
            if self.nodes[source].op != "slice":
                break
            source = self.nodes[source].args[0]
        return self._at(node)

    def _copied(self, node: int, shape: Shape) -> Tensor:
        if self.nodes[node].op == "fill" and node not in self.schedule.roots:
            return self._op(node, [self._entry(self.nodes[node].args[0], ())])
        return self._entry(node, shape)

    def _whole(self, phase: Whole) -> None:
        self._lay(
            phase.node,
            self._op(
                phase.node, [self._at(arg) for arg in self.nodes[phase.node].args]
            ),
        )

    def _lay(self, node: int, value: Tensor) -> None:
        assert node in self.schedule.kept or node in self.schedule.blocks
        assert node in self.schedule.blocks or not self.stage.is_of_block
        self.memory[node] = value
        self.laid[node] += 1
        if node in self.schedule.blocks:
            self.block[node] = value

    def _loop(self, loop: Loop) -> None:
        done: dict[int, Tensor] = {}
        for accumulator in loop.accumulators:
            products = [
                TORCH["matmul"]([self._matrix(p.matrix), self._at(p.operand)], None)
                for p in accumulator.products
            ]
            done[accumulator.node] = sum(products[1:], start=products[0])
        for node in loop.nodes:
            assert self.nodes[node].shape == loop.shape
            assert OPS[self.nodes[node].op].kind == "elementwise"
            args = self.nodes[node].args
            args = args[:1] if self.nodes[node].op == "surrogate" else args
            values = [
                done[arg] if arg in done else self._entry(arg, loop.shape)
                for arg in args
            ]
            done[node] = self._op(node, values)
        for node in {*loop.kept, *loop.written} - done.keys():
            done[node] = self._copied(node, loop.shape)
        for node in loop.kept:
            self._lay(node, done[node])
        assert not (loop.written and self.stage.is_of_block)
        for node in loop.written:
            assert node not in self.written, f"%{node} is written twice"
            self.written[node] = done[node]
            made = OPS[self.nodes[node].op].kind in ("elementwise", "product")
            if made and node in self.schedule.outputs and node not in self.memory:
                self.memory[node] = done[node]

    def _matrix(self, node: int) -> Tensor:
        assert node in self.schedule.roots
        return self.memory[node]

    def assert_complete(self) -> None:
        """Check that all that was asked for is written, and what is kept is read."""
        schedule = self.schedule
        nexts = {state.next for state in schedule.graph.states}
        assert self.written.keys() == {*schedule.outputs, *schedule.sums, *nexts}
        laid = [*schedule.kept, *schedule.blocks]
        assert self.laid == Counter(laid)
        assert set(laid) <= self.read, "something is kept that nobody reads"


def root_values(step: Forward | Back, arguments: Arguments) -> dict[int, Tensor]:
    """Return the values of a schedule's roots."""
    schedule = step.schedule
    values = Weights(schedule.graph, schedule.roots).values(arguments, DOUBLE)
    return dict(zip(schedule.roots, values, strict=True))


def run_forward(
    forward: Forward, problem: Problem
) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
    """Return the outputs' arrays ``[T, B, ...]`` and the last states."""
    graph = forward.schedule.graph
    arguments = Arguments(problem.sizes, problem.parameters, problem.constants)
    roots = root_values(forward, arguments)
    now = dict(problem.states)

    def leaf_at(t: int) -> Leaf:
        def leaf(node: Node) -> Tensor:
            name = str(node.attr)
            value = problem.inputs[name][t] if node.op == "input" else now[name]
            return with_axis(value, node.shape)

        return leaf

    block = [
        Step(forward.schedule, problem, roots, leaf_at(t))
        for t in range(steps(problem))
    ]
    for step in as_a_block(block):
        now.update({s.name: step.asked_for(s.next) for s in graph.states})
    outputs = forward.schedule.outputs
    return {n: torch.stack([s.asked_for(n) for s in block]) for n in outputs}, now


def as_a_block(block: Sequence[Step]) -> Iterator[Step]:
    """Run steps as one block; yield each when its states are there."""
    for stage in Stage:
        for step in block:
            step.run(stage)
            if stage == Stage.STEP:
                yield step
    for step in block:
        step.assert_complete()


def steps(problem: Problem) -> int:
    """Return the length of the sequence."""
    return len(next(iter(problem.inputs.values())))


def run_backward(
    pipeline: Pipeline, problem: Problem, given: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return all gradients, from what the forward schedule saves and from no more."""
    forward, back = pipeline.forward, pipeline.backward
    assert back is not None
    arrays, _ = run_forward(forward, problem)
    known = _known(forward, problem, arrays)
    arguments = Arguments(problem.sizes, problem.parameters, problem.constants)
    roots = root_values(forward, arguments)
    named = {forward.names[node]: value for node, value in roots.items()}
    back_roots = root_values(back, Arguments(problem.sizes, named, {}))
    graph = back.schedule.graph
    adjoints = {f"d.{s.name}": given[s.name] for s in forward.schedule.graph.states}
    inputs = {name: torch.zeros_like(value) for name, value in problem.inputs.items()}
    zero = torch.zeros((), dtype=torch.float64)
    sums = {n: zero for n in back.gradients if n not in inputs}

    def leaf_at(t: int) -> Leaf:
        def leaf(node: Node) -> Tensor:
            name = str(node.attr)
            if node.op == "state":
                return with_axis(adjoints[name], node.shape)
            if name in known:
                return with_axis(known[name][t], node.shape)
            arriving = given["output" if name == OUTPUT else name.removeprefix("d.")]
            return with_axis(arriving[t], node.shape)

        return leaf

    block = [
        Step(back.schedule, problem, back_roots, leaf_at(t))
        for t in reversed(range(steps(problem)))
    ]
    for step in as_a_block(block):
        adjoints.update({s.name: step.asked_for(s.next) for s in graph.states})
    for t, step in zip(reversed(range(steps(problem))), block, strict=True):
        for name, node in back.gradients.items():
            if name in inputs:
                if node in step.written:
                    inputs[name][t] = step.asked_for(node)
            else:
                sums[name] = sums[name] + _summed(step, node, problem, step.leaf)
    first = {
        f"first {s.name}": adjoints[f"d.{s.name}"]
        for s in forward.schedule.graph.states
    }
    assert set(sums) <= named.keys(), "a gradient of what the forward step is not given"
    return {**inputs, **first, **of_parameters(problem, forward.names, sums)}


def _known(
    forward: Forward, problem: Problem, arrays: Mapping[int, Tensor]
) -> dict[str, Tensor]:
    """Return the forward values that the backward step reads, for all steps."""
    known = dict(problem.inputs)
    for name, node in forward.saved.items():
        first = problem.states.get(name)
        lag = [] if first is None else [first.unsqueeze(0)]
        known[name] = torch.cat([*lag, arrays[node][: steps(problem) - len(lag)]])
    return known


def _summed(step: Step, node: int, problem: Problem, leaf: Leaf) -> Tensor:
    """Return a step's share of a gradient that is summed over steps and rows."""
    schedule = step.schedule
    nodes = schedule.graph.nodes
    if node in schedule.sums:
        return step.asked_for(node).sum(0)
    assert len(nodes[node].shape) > 1
    total = torch.zeros(resolved(nodes[node].shape, problem.sizes)).double()
    for outer in outer_products(schedule.graph, node):
        assert outer in schedule.after
        # Only inputs and outputs have arrays of all steps.
        sides = [
            leaf(nodes[arg]) if nodes[arg].op == "input" else step.asked_for(arg)
            for arg in nodes[outer].args
        ]
        assert all(len(side) == batch(problem) for side in sides)
        attr = resolve(nodes[outer].attr, problem.sizes)
        total = total + TORCH["outer"](sides, attr).sum(0)
    return total
