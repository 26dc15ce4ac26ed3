"""From the equations of a cell to its wiring."""

from __future__ import annotations

import ast
from dataclasses import replace

from cellwright.language.cell import Cell
from cellwright.language.views import EquationView

from ..cell_facts import one_line, output_name
from ..order import in_reading_order
from ..zeros import without_zero_terms, without_zeros
from .boxes import Boxes
from .wiring import TERMINALS, Part, Source, Wire, Wiring, joined


def wiring(cell: Cell) -> Wiring:
    """Return the wiring of a cell, as its equations say it.

    Args:
        cell: any cell. Parameters and constants have no part: they are in the boxes.

    Example:
        >>> import cellwright as cw
        >>> found = wiring(cw.cells.load("elman"))
        >>> [part.kind for part in found.parts]
        ['input', 'before', 'squash', 'after']
    """
    reader = _Reader(cell)
    for equation in reader.equations:
        reader.read(equation)
    reader.close()
    plain = Wiring(
        cell.name,
        cell.title,
        cell.block.removesuffix(":"),
        tuple(reader.boxes.parts),
        tuple(dict.fromkeys(reader.boxes.wires)),
    )
    return joined(plain)


class _Reader:
    """Reads the equations one by one.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: Cell):
        shown = [
            replace(equation, tree=without_zero_terms(equation.tree))
            for equation in without_zeros(cell.equations)
        ]
        self.equations = in_reading_order(shown)
        self._graph = cell.graph
        self._output = output_name(cell)
        self.boxes = Boxes()
        for row in self._graph.inputs:
            self._begin(Part("input", (), (row.name,), row.description), row.name)
        for row in self._graph.states:
            note = row.description or "before the step"
            self._begin(Part("before", (), (row.name,), note), row.name)
        inside = [e for e in self.equations if e.in_block]
        primed = [n for e in inside for n in e.names if n.endswith("'")]
        self._carried = [name.removesuffix("'") for name in primed]

    def _begin(self, part: Part, name: str) -> None:
        self.boxes.values[name] = self.boxes.add(part)

    def read(self, equation: EquationView) -> None:
        """Add what an equation computes."""
        boxes = self.boxes
        if equation.in_block and not boxes.in_block:
            self._enter()
        elif boxes.in_block and not equation.in_block:
            self._leave()
        tree = equation.tree
        if boxes.fixed(tree):
            self._read_fixed(equation)
        elif len(equation.names) > 1:
            self._read_split(equation)
        else:
            name = "".join(equation.names)
            boxes.values[name] = boxes.source(tree)
            if name not in self._carried or equation.in_block:
                self._name(equation)

    def _enter(self) -> None:
        """Open the block: what is carried has a part, where each micro-step begins."""
        self.boxes.in_block = True
        for name in self._carried:
            state = any(row.name == name for row in self._graph.states)
            own = () if state else (name,)
            note = f"{name} before the micro-step"
            part = Part("name", own, (name,) if state else (), note, True)
            pill = self.boxes.add(part)
            self.boxes.wire(self.boxes.values[name], pill.part)
            self.boxes.inside[name] = pill

    def _leave(self) -> None:
        for name in self._carried:
            end = self.boxes.values[f"{name}'"]
            target = self.boxes.inside[name].part
            self.boxes.wires.append(Wire(end, target, again=True))
        self.boxes.inside.clear()
        self.boxes.in_block = False

    def _read_fixed(self, equation: EquationView) -> None:
        """Draw a gate that is a number; a constant is part of what it stands in."""
        if equation.replaces_constant:
            if isinstance(equation.tree, ast.Constant) and equation.tree.value == 1:
                self.boxes.ones.update(equation.names)
            return
        (name,) = equation.names
        said = self.boxes.text(equation.tree)
        carried = name in self._carried and not equation.in_block
        kept = () if carried else (name,)
        lines = (said if len(said) <= 12 else "weights",)
        note = self._note(equation)
        part = Part("number", kept, lines, note, equation.in_block)
        self.boxes.values[name] = self.boxes.add(part)

    def _read_split(self, equation: EquationView) -> None:
        assert isinstance(equation.tree, ast.Call)
        inner = self.boxes.source(equation.tree.args[0])
        note = self._note(equation)
        part = Part("split", equation.names, ("split",), note, equation.in_block)
        found = self.boxes.add(part)
        self.boxes.wire(inner, found.part)
        for port, name in enumerate(equation.names):
            self.boxes.values[name] = Source(found.part, port)

    def _name(self, equation: EquationView) -> None:
        """Write the name of an equation on what computes it, beside it or at its end.

        A state's next value and an output stand where they leave the picture.
        """
        boxes, (name,) = self.boxes, equation.names
        source = boxes.values[name]
        part = boxes.parts[source.part]
        note = self._note(equation)
        if not part.names and part.kind not in TERMINALS:
            circle = part.kind == "operation"
            at_end = self._is_state(name) or (name == self._output and circle)
            own = () if at_end else (name,)
            boxes.parts[source.part] = replace(part, names=own, note=note)
        elif not self._is_state(name) and name != self._output:
            pill = boxes.add(Part("name", (name,), (), note, equation.in_block))
            boxes.wire(source, pill.part)
            boxes.values[name] = pill

    def _is_state(self, name: str) -> bool:
        return any(f"{row.name}'" == name for row in self._graph.states)

    @staticmethod
    def _note(equation: EquationView) -> str:
        said = f"{', '.join(equation.names)} = {one_line(equation.text)}"
        return f"{said}\n{equation.description}".strip()

    def close(self) -> None:
        """Add where the states leave, and the output."""
        boxes = self.boxes
        if boxes.in_block:
            self._leave()
        for row in self._graph.states:
            name = f"{row.name}'"
            self._end("after", name, "output" if name == self._output else "")
        if not self._is_state(self._output):
            self._end("output", self._output, "output")

    def _end(self, kind: str, name: str, caption: str) -> None:
        boxes = self.boxes
        source = boxes.values[name]
        part = boxes.parts[source.part]
        own = () if name in part.names else (name,)
        note = part.note.partition("\n")[2] or name
        assert kind in ("after", "output")
        end = boxes.add(Part(kind, own, (name,), note, False, caption))
        boxes.wire(source, end.part)
