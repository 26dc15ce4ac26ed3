"""What a whole cell must have, and what its own file writes for nothing."""

from __future__ import annotations

from cellwright.ir.graph import reachable

from .build import Built, label
from .definitions import Definition
from .names import reach, reach_output
from .order import FIRST, OUTSIDE
from .report import Report, Span, did_you_mean


def check(built: Built, report: Report, strict: bool) -> None:
    """Note what a cell lacks as a whole.

    Args:
        built: the cell.
        report: where faults go.
        strict: also what its file writes and nothing uses; not for other counts or
            for a cell without biases, whose file is fine.
    """
    for definition in built.definitions.table.values():
        _check_primes(built, definition, report)
    _check_labels(built, report)
    _check_block(built, report)
    _check_output(built, report)
    if report:
        return
    if strict:
        _check_unused(built, report)
    if not report:
        _check_alive(built, report)


def _top(built: Built) -> Span:
    return Span(built.definitions.source, 1, 0)


def _check_primes(built: Built, definition: Definition, report: Report) -> None:
    definitions = built.definitions
    key = definition.key
    equation = {key + "'"}
    known = definitions.table.keys() | definitions.broken
    if definition.kind == "state" and not equation & known:
        found = f"the state {key} has no equation"
        fix = f"write {key}' = ..."
        report.add("missing-equation", definition.span, found, fix)
    if not key.endswith("'"):
        if definition.in_block and definitions.carried(key):
            found = f"{key} is defined in the block, and carried by {key}'"
            report.add("twice", definition.span, found)
        return
    bare = key.removesuffix("'")
    before = definitions.table.get(bare)
    if bare in definitions.broken or (before is not None and before.kind == "state"):
        return
    if definition.in_block and (before is None or before.kind == "equation"):
        return
    states = [d.key + "'" for d in definitions.table.values() if d.kind == "state"]
    fix = did_you_mean(key, states) or f"declare it: state {bare} [...]"
    report.add("no-state", definition.span, f"{bare!r} is no state", fix)


def _check_labels(built: Built, report: Report) -> None:
    """In the graph n of micro-step 2 is n_2: nothing else may be called so."""
    table = built.definitions.table
    for definition in table.values():
        if not definition.in_block:
            continue
        for instance in built.scoping.instances(definition):
            other = table.get(label(instance))
            if other is not None:
                found = (
                    f"{definition.key} of micro-step {instance[1]} is {other.key} too"
                )
                report.add("twice", other.span, found)
                break


def _check_block(built: Built, report: Report) -> None:
    block = built.definitions.block
    if block is None:
        return
    names = {*built.definitions.table, "input_size", "hidden_size"}
    if block.index.text in names:
        found = f"{block.index.text!r} is the name of something else too"
        report.add("twice", block.index.span, found)


def _check_output(built: Built, report: Report) -> None:
    definitions = built.definitions
    key, span = definitions.output_key, definitions.output
    if span is None:
        if "output" not in definitions.broken:
            report.add("output", _top(built), "it has none", "write output h'")
        return
    definition = definitions.table.get(key)
    if key in definitions.broken:
        return
    before = definitions.table.get(key.removesuffix("'"))
    if definition is None and before is not None and before.kind == "state":
        return  # told already: the state has no equation
    if definition is None:
        fix = did_you_mean(key, definitions.table)
        report.add("unknown-name", span, f"{key!r}", fix)
    elif built.scoping.meaning(key, OUTSIDE) is None:
        fix = f"write {key}' in the block to carry it on"
        report.add("inside-block", span, f"{key!r}", fix)
    elif definition.kind == "state":
        found = f"{key} is the value before the step"
        report.add("output", span, found, f"write {key}'")
    elif definition.kind != "equation":
        article = "an" if definition.kind == "input" else "a"
        report.add("output", span, f"{key} is {article} {definition.kind}")


def live_nodes(built: Built) -> set[int]:
    """Return the nodes that the output hangs on through any number of steps."""
    nodes = built.builder.nodes
    inits = {label(instance): node for instance, node in built.inits.items()}
    live: set[int] = set()
    new = {output_node(built)}
    while new:
        found = reachable(nodes, new) - live
        live |= found
        new = set[int]()
        for position in found:
            node, name = nodes[position], str(nodes[position].attr)
            if node.op == "state":
                new |= {*state_roots(built, name)}
            elif node.op in ("parameter", "constant") and name in inits:
                new.add(inits[name])
        new -= live
    return live


def output_node(built: Built) -> int:
    """Return the node of the output."""
    meaning = built.scoping.meaning(built.definitions.output_key, OUTSIDE)
    assert meaning is not None
    return built.nodes[meaning]


def state_roots(built: Built, name: str) -> tuple[int, int]:
    """Return the nodes of a state's first and next value."""
    after = built.scoping.meaning(name + "'", OUTSIDE)
    assert after is not None
    return built.nodes[name, FIRST], built.nodes[after]


def _check_alive(built: Built, report: Report) -> None:
    ops = {built.builder.nodes[position].op for position in live_nodes(built)}
    missing = [op for op in ("input", "state") if op not in ops]
    if missing:
        what = " and no ".join(missing)
        place = built.definitions.output or _top(built)
        key = built.definitions.output_key
        report.add("no-input", place, f"{key} hangs on no {what}")


def _check_unused(built: Built, report: Report) -> None:
    """Note what the file itself writes and the output does not hang on by name.

    Of a chain that leads nowhere only its end is noted.
    """
    definitions = built.definitions
    table = definitions.table
    used = reach_output(definitions, built.parsed)
    unused = [k for k, d in table.items() if d.own and k not in used | {"input_size"}]
    # What another unused name hangs on is only unused because that one is.
    ends = list(unused)
    for key in unused:
        if key in ends:
            below = reach(definitions, built.parsed, {key}) - {key}
            ends = [end for end in ends if end not in below]
    known = {} if definitions.base is None else definitions.base.table
    for key in ends:
        fix = did_you_mean(key, {*known} - {key}) or "remove it, or use it"
        found = f"nothing uses {key!r}"
        if table[key].kind == "state":
            found = f"nothing reads {key!r}, the value before the step"
        report.add("unused", table[key].span, found, fix)
