"""Write a schedule as C: the two files that `kernel.c` includes.

What does not depend on the cell stands in `kernel.c` and the headers beside it. Here
are the tables of a cell's sizes and matrices, and a body for each of its loops.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from cellwright.ir.formula import formula
from cellwright.ir.sizes import Size
from cellwright.passes.phases import Loop, Phase, Schedule, Whole
from cellwright.passes.stages import Stage

from .expressions import Statements
from .identifiers import identifiers
from .memory import Memory, Place
from .ops import WHOLE
from .rows import REDUCTIONS, Together, readers_of, together
from .runs import Run, runs_of, spread_of
from .slots import HEAD, INPUT, OUTPUT, ROOT, STATE, Slots, length
from .source import Source


def emit(
    schedule: Schedule, names: Sequence[str], backwards: bool, title: str
) -> Source:
    """Return the C of a schedule.

    Args:
        schedule: of the step.
        names: of its graph's nodes.
        backwards: whether it runs from the last step to the first.
        title: what the kernel is, in words.
    """
    writer = _Writer(schedule, names)
    phases = list(writer.phases())
    head = "\n".join(writer.head(title, backwards))
    step = "\n".join([*writer.run_table(), *phases])
    widths = sorted({width for run in writer.runs for width in run.widths})
    return Source(head, step, tuple(writer.slots.sizes), tuple(widths), backwards)


class _Writer:
    """Writes one schedule; its slots know all sizes once everything is written."""

    def __init__(self, schedule: Schedule, names: Sequence[str]):
        self.schedule = schedule
        self.graph = schedule.graph
        self.slots = Slots(schedule)
        self.memories = [Memory(self.slots, of_block) for of_block in (False, True)]
        self.said = names
        self.names = identifiers(names)
        self.readers = readers_of(schedule)
        self.runs: list[Run] = []
        self.ahead_runs = 0

    def head(self, title: str, backwards: bool) -> list[str]:
        """Return everything that stands before the phases."""
        graph, schedule = self.graph, self.schedule
        nodes = graph.nodes
        starts = self.slots.starts
        enum = [f"SLOT_{name.upper()} = {i}" for i, name in enumerate(HEAD)]
        enum += [f"SLOT_{n.upper()} = {at}" for n, at in starts.items() if n != "sizes"]
        enum += [f"ROOT_SLOTS = {ROOT}", f"INPUT_SLOTS = {INPUT}"]
        enum += [f"STATE_SLOTS = {STATE}", f"OUTPUT_SLOTS = {OUTPUT}"]
        counts = {
            "ROOTS": [self.said[n] for n in schedule.roots],
            "INPUTS": [i.name for i in graph.inputs],
            "STATES": [s.name for s in graph.states],
            "OUTPUTS": [self.said[n] for n in schedule.outputs],
            "KEPT": [self.said[n] for n in schedule.kept],
            "BLOCKS": [self.said[n] for n in schedule.blocks],
            "SUMS": [self.said[n] for n in schedule.sums],
        }
        lines = [f"/* {title} */", "enum {", *(f"    {item}," for item in enum)]
        for name, items in counts.items():
            lines.append(f"    {name} = {len(items)}, /* {', '.join(items)} */")
        lines += [
            f"    RUNS = {len(self.runs)},",
            f"    AHEAD_RUNS = {self.ahead_runs}, /* the first ones */",
            *(
                f"    {stage.name}S = {len(phases)},"
                for stage, phases in schedule.phases.items()
            ),
            "};",
            f"#define BACKWARDS {int(backwards)}",
        ]
        tables = {
            "state_size": [s.shape for s in graph.states],
            "output_size": [nodes[n].shape for n in schedule.outputs],
            "kept_size": [nodes[n].shape for n in schedule.kept],
            "block_size": [nodes[n].shape for n in schedule.blocks],
            "sum_size": [nodes[n].shape for n in schedule.sums],
        }
        for name, shapes in tables.items():
            slots = [str(self.slots.size(length(shape))) for shape in shapes]
            listed = ", ".join([*slots, "0"])
            lines.append(f"static const int {name}[] = {{{listed}}};")
        return lines

    def phases(self) -> Iterable[str]:
        """Yield the functions of all phases, and of each stage, which runs its own."""
        index = 0
        for stage, phases in self.schedule.phases.items():
            memory = self.memories[stage.is_of_block]
            calls: list[str] = []
            for run in together(phases):
                if len(run) == 1 and isinstance(run[0], Loop):
                    yield from self._loop(index, run[0], memory, stage)
                else:
                    yield from self._by_rows(index, run, memory)
                calls.append(f"    run_phase(phase_{index}, frame, member);")
                index += len(run)
            if stage == Stage.AHEAD:
                self.ahead_runs = len(self.runs)
            name = stage.name.lower()
            yield f"static void {name}(const Frame *frame, Member *member)"
            yield from ["{", *(calls or ["    (void)frame, (void)member;"]), "}"]

    def _by_rows(
        self, index: int, phases: Sequence[Phase], memory: Memory
    ) -> Iterable[str]:
        """Yield a phase that does several, all of them for one row after the other."""
        shared = Together(self.schedule, phases, self.readers)
        for part, (whole, ahead) in shared.parts.items():
            memory.parts[part] = self._part(whole, ahead, memory)
        lines: list[str] = []
        adds = False
        for phase in phases:
            if isinstance(phase, Whole):
                lines += self._whole_of_row(phase.node, memory, shared)
            elif not phase.shape:
                lines += self._numbers_of_row(phase, memory, shared)
            else:
                lines += self._loop_of_row(phase, memory, shared)
            adds |= isinstance(phase, Loop) and not {*self.schedule.sums}.isdisjoint(
                phase.written
            )
        memory.registers.clear()
        yield f"static BODY void row_{index}(const Frame *restrict frame, int row)"
        yield from ["{", *(f"    {line}" for line in lines), "}"]
        # What adds up some rows is one thread's.
        rows = "SUM_ROWS" if adds else "1"
        yield f"ROWS_PHASE({index}, {rows})"

    def _part(self, whole: int, ahead: Sequence[int], memory: Memory) -> Place:
        """Return where a part of a vector lies in it."""
        found = memory.place(whole)
        lengths = [memory.size(length(self.graph.nodes[n].shape)) for n in ahead]
        return Place(" + ".join([found.pointer, *lengths]), found.stride)

    def _whole_of_row(
        self, node: int, memory: Memory, shared: Together
    ) -> Iterable[str]:
        """Yield what makes a number or a vector of a whole row."""
        found = self.graph.nodes[node]
        yield f"/* {self._equation(node)} */"
        if found.op not in REDUCTIONS or found.shape:
            yield from self._whole(node, memory)
            return
        arg = found.args[0]
        if shared.totals.get(arg) == node:
            value = f"sum_lanes({_total(arg)})"
        else:
            of = memory.size(length(self.graph.nodes[arg].shape))
            value = f"{REDUCTIONS[found.op]}({memory.place(arg).entry('row')}, {of})"
        name = memory.registers[node] = self.names[node]
        yield f"const vec {name} = splat({value});"
        if node not in shared.inside:
            yield f"*({memory.place(node).entry('row')}) = {name}[0];"

    def _numbers_of_row(
        self, loop: Loop, memory: Memory, shared: Together
    ) -> Iterable[str]:
        """Yield a loop over a single number, which stays at hand."""
        statements = self._statements(loop, memory)
        memory.registers |= statements.done
        yield from statements.lines
        yield from self._stores(loop, statements, memory, shared.inside, "0", "1")

    def _loop_of_row(
        self, loop: Loop, memory: Memory, shared: Together
    ) -> Iterable[str]:
        totals = [node for node in loop.nodes if node in shared.totals]
        yield from (f"vec {_total(node)} = splat(0);" for node in totals)
        statements = self._statements(loop, memory)
        yield f"ROW_LOOP({self._walked(loop)},"
        yield from (f"    {line}" for line in statements.lines)
        stores = self._stores(loop, statements, memory, shared.inside)
        yield from (f"    {line}" for line in stores)
        for node in totals:
            yield f"    {_total(node)} += first({statements.value(node)}, lanes);"
        yield ")"

    def run_table(self) -> list[str]:
        """Return the table of all runs of products."""
        lines = ["static const Run runs[RUNS + 1] = {"]
        for run in self.runs:
            roots = ", ".join(str(self.schedule.roots.index(m)) for m in run.matrices)
            units, depth = (self.slots.size(size) for size in (run.units, run.depth))
            heads = -1 if run.heads is None else self.slots.size(run.heads)
            said = ", ".join(self._said(m) for m in run.matrices)
            lines.append(
                f"    {{{len(run.matrices)}, {run.spread}, {units}, {depth}, {heads}, "
                f"{{{roots}}}}}, /* {said} @ {self._said(run.operand)} */"
            )
        return [*lines, "    {0, 0, 0, 0, 0, {0}}", "};"]

    def _said(self, node: int) -> str:
        name = self.said[node]
        if not name.startswith("%"):
            return name
        return formula(self.graph, node, self.said)

    def _equation(self, node: int) -> str:
        return f"{self.said[node]} = {formula(self.graph, node, self.said)}"

    def _whole(self, node: int, memory: Memory) -> Iterable[str]:
        """Yield an op on a whole row, from memory to memory."""
        found = self.graph.nodes[node]
        function, place = WHOLE[found.op], memory.place(node)
        to, ahead = place.entry("row"), list[int]()
        for arg in found.args:
            size = memory.size(length(self.graph.nodes[arg].shape))
            own = memory.place(arg)
            at = own.entry("row")
            match found.op:
                case "concat":
                    part = self._part(node, ahead, memory)
                    ahead.append(arg)
                    if own != part:
                        yield f"{function}({at}, {size}, {part.entry('row')});"
                case "repeat":
                    assert isinstance(found.attr, Size)
                    times = memory.size(found.attr)
                    yield f"{function}({at}, {size}, {times}, {to});"
                case _:
                    groups = memory.size(length(found.shape))
                    yield f"{function}({at}, {size}, {groups}, {to});"

    def _loop(
        self, index: int, loop: Loop, memory: Memory, stage: Stage
    ) -> Iterable[str]:
        yield from self._body(index, loop, memory)
        if loop.accumulators:
            yield from self._product_phase(index, loop, memory, stage)
        else:
            yield f"LOOP_PHASE({index}, {self._walked(loop)})"

    def _walked(self, loop: Loop) -> str:
        size = length(loop.shape)
        return f"{self.slots.size(size)} /* {size} */"

    def _body(self, index: int, loop: Loop, memory: Memory) -> Iterable[str]:
        """Yield what is done with a vector of a loop."""
        statements = self._statements(loop, memory)
        lines = [*statements.lines, *self._stores(loop, statements, memory)]
        yield f"enum {{ SPREAD_{index} = {spread_of(loop)} }};"
        yield f"#define SPREAD SPREAD_{index}"
        yield f"static BODY void body_{index}("
        yield "    const Frame *frame, int row, int64_t unit, int lanes,"
        yield "    const vec *acc)"
        yield "{"
        yield from (f"    {line}" for line in lines)
        yield "    (void)frame, (void)row, (void)unit, (void)lanes, (void)acc;"
        yield "}"
        yield "#undef SPREAD"

    def _statements(self, loop: Loop, memory: Memory) -> Statements:
        """Return what computes a loop's nodes, with their equations."""
        sums = [accumulator.node for accumulator in loop.accumulators]
        named = [n for n in {*sums, *loop.nodes} if not self.said[n].startswith("%")]
        comments = {n: self._equation(n) for n in named}
        found = Statements(self.graph, loop, memory, self.names, self.said)
        found.print(comments)
        found.lines += [f"/* {comments[n]} */" for n in sums if n in comments]
        return found

    def _stores(
        self,
        loop: Loop,
        statements: Statements,
        memory: Memory,
        inside: Container[int] = (),
        unit: str = "unit",
        lanes: str = "lanes",
    ) -> Iterable[str]:
        """Yield what lays a loop's values into memory, but for those read inside."""
        schedule = self.schedule
        for node in loop.kept:
            if node in inside:
                continue
            found = memory.place(node)
            if node in schedule.blocks:
                found = memory.in_block(node)
            place = found.entry("row", unit)
            yield f"store({place}, {statements.value(node)}, {lanes});"
        for node in loop.written:
            value = statements.value(node)
            if node in schedule.outputs:
                i = schedule.outputs.index(node)
                place = f"frame->out[{i}] + row * frame->out_row[{i}] + {unit}"
                yield f"store({place}, {value}, {lanes});"
            if node in schedule.sums:
                i = schedule.sums.index(node)
                place = f"frame->sum[{i}] + row / SUM_ROWS * frame->sum_row + {unit}"
                yield f"store({place}, load({place}, {lanes}) + {value}, {lanes});"
            for i, state in enumerate(self.graph.states):
                if state.next == node:
                    place = f"frame->after[{i}] + row * frame->state_row[{i}] + {unit}"
                    yield f"store({place}, {value}, {lanes});"

    def _product_phase(
        self, index: int, loop: Loop, memory: Memory, stage: Stage
    ) -> Iterable[str]:
        spread, calls = spread_of(loop), list[str]()
        sizes: list[str] = []
        ready: list[str] = []
        widest, begun = 1, set[int]()
        for run in runs_of(self.graph, loop, spread):
            place = memory.place(run.operand)
            own = set(range(run.first, run.first + len(run.matrices)))
            if own & begun:
                calls += [f"CLEAR({k * spread}, {spread})" for k in sorted(own - begun)]
            calls.append(
                f"PRODUCT({len(self.runs)}, {place.pointer}, {place.stride}, "
                f"{run.first * spread}, {int(not own & begun)})"
            )
            sizes.append(f"frame->tile[{len(self.runs)}]")
            if stage == Stage.AHEAD:
                ready.append(f"READY({len(self.runs)})")
            begun |= own
            self.runs.append(run)
            widest = max(widest, len(run.matrices) * spread)
        count = len(loop.accumulators) * spread
        yield f"PRODUCT_PHASE({index}, {self._walked(loop)}, {count}, {widest},"
        yield f"              {' + '.join(sizes)}, {' '.join(ready)},"
        yield f"              {' '.join(calls)})"


def _total(node: int) -> str:
    return f"total_{node}"
