"""A graph as text, and back: what `show --stage graph` prints, lossless.

One declaration or node a line; ``parse(print_graph(g)) == g`` for every graph.
"""

from __future__ import annotations

import ast
import json
import re

from .graph import (
    Constant,
    Graph,
    Input,
    Node,
    Parameter,
    SizeDeclaration,
    State,
    Value,
)
from .ops import Attr
from .sizes import Shape, Size


def print_graph(graph: Graph) -> str:
    """Return the graph as text, ending in a newline."""
    plain = re.fullmatch(r"[\w.-]+", graph.name)
    lines = [f"graph {graph.name if plain else json.dumps(graph.name)}"]
    for size in graph.sizes:
        default = "" if size.default is None else f" default {size.default}"
        derived = "" if size.derived is None else f" = {size.derived}"
        lines.append(f"size {size.name}{default}{derived}")
    lines += [f"count {name} {value}" for name, value in graph.counts]
    lines += [f"whole {size}" for size in graph.whole]
    lines += [
        f"input {i.name} {_shape(i.shape)}{_note(i.description)}" for i in graph.inputs
    ]
    for s in graph.states:
        roots = f"first %{s.first} next %{s.next}"
        lines.append(f"state {s.name} {_shape(s.shape)} {roots}{_note(s.description)}")
    for p in graph.parameters:
        init = "" if p.init is None else f" init %{p.init}"
        note = _note(p.description)
        lines.append(f"{p.role} {p.name} {_shape(p.shape)}{init}{note}")
    for c in graph.constants:
        note = _note(c.description)
        lines.append(f"constant {c.name} {_shape(c.shape)} init %{c.init}{note}")
    for position, node in enumerate(graph.nodes):
        words = [node.op, *(f"%{arg}" for arg in node.args)]
        if node.attr is not None:
            words.append("{" + _attr(node.attr) + "}")
        lines.append(f"%{position} = {' '.join(words)} : {_shape(node.shape)}")
    lines += [f"value {v.name} %{v.node}{_note(v.description)}" for v in graph.values]
    lines.append(f"output %{graph.output}")
    return "\n".join(lines) + "\n"


def parse_graph(text: str) -> Graph:
    """Return the graph that `print_graph` wrote.

    Raises:
        ValueError: naming the line that is not of that form.
    """
    reader = _Reader()
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        try:
            reader.line(line)
        except (ValueError, KeyError, IndexError, SyntaxError) as cause:
            raise ValueError(f"line {number} of a graph: {line!r}: {cause}") from cause
    return reader.graph()


def parse_size(text: str) -> Size:
    """Return the size that ``str(size)`` wrote.

    Example:
        >>> str(parse_size("4*hidden_size*input_size + 1"))
        '4*hidden_size*input_size + 1'
    """
    return _size(ast.parse(text, mode="eval").body)


def _size(tree: ast.expr) -> Size:
    match tree:
        case ast.Constant(value=int(value)):
            return Size.number(value)
        case ast.Name(id=name):
            return Size.named(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _size(operand) * -1
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _size(left), _size(right)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
                case _:
                    pass
        case _:
            pass
    raise ValueError(f"not a size: {ast.unparse(tree)}")


def _shape(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _parse_shape(text: str) -> Shape:
    inner = text.strip()[1:-1]
    return tuple(parse_size(part) for part in inner.split(", ")) if inner else ()


def _note(description: str) -> str:
    return f" {json.dumps(description, ensure_ascii=False)}" if description else ""


def _attr(attr: Attr) -> str:
    match attr:
        case Size():
            return f"size {attr}"
        case tuple():
            return f"shape {_shape(attr)}"
        case _:
            return repr(attr)


def _parse_attr(text: str) -> Attr:
    if text.startswith("size "):
        return parse_size(text.removeprefix("size "))
    if text.startswith("shape "):
        return _parse_shape(text.removeprefix("shape "))
    if text in ("inf", "-inf", "nan"):
        return float(text)
    return ast.literal_eval(text)


# A backward graph's leaves are called by what they stand for: d.h, %12, d.%12.
_NAME = r"(?P<name>[\w'.%]+)"
_SHAPE = r" (?P<shape>\[.*?\])"
_NOTE = r"(?: (?P<note>\".*\"))?"
_FORMS = {
    "size": rf"{_NAME}(?: default (?P<default>\d+))?(?: = (?P<derived>.+))?",
    "count": rf"{_NAME} (?P<value>\d+)",
    "whole": r"(?P<size>.+)",
    "input": _NAME + _SHAPE + _NOTE,
    "state": rf"{_NAME}{_SHAPE} first %(?P<first>\d+) next %(?P<next>\d+){_NOTE}",
    "weight": rf"{_NAME}{_SHAPE}(?: init %(?P<init>\d+))?{_NOTE}",
    "bias": rf"{_NAME}{_SHAPE}(?: init %(?P<init>\d+))?{_NOTE}",
    "constant": rf"{_NAME}{_SHAPE} init %(?P<init>\d+){_NOTE}",
    "value": rf"{_NAME} %(?P<node>\d+){_NOTE}",
    "output": r"%(?P<node>\d+)",
    "graph": r"(?P<name>[\w.-]+|\".*\")",
}
_NODE = r"%\d+ = (?P<op>\w+)(?P<args>(?: %\d+)*)(?: \{(?P<attr>.*)\})? : (?P<shape>.*)"


class _Reader:
    """Collects the lines of a graph's text."""

    def __init__(self) -> None:
        self.name = ""
        self.output = -1
        self.nodes: list[Node] = []
        self.sizes: list[SizeDeclaration] = []
        self.counts: list[tuple[str, int]] = []
        self.whole: list[Size] = []
        self.inputs: list[Input] = []
        self.states: list[State] = []
        self.parameters: list[Parameter] = []
        self.constants: list[Constant] = []
        self.values: list[Value] = []

    def line(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word.startswith("%"):
            self.nodes.append(_node(_fields(_NODE, line)))
            return
        f = _fields(_FORMS[word], rest)
        name, shape = f.get("name", ""), _parse_shape(f.get("shape") or "[]")
        note = json.loads(f.get("note") or '""')
        init = int(f["init"]) if f.get("init") else None
        match word:
            case "graph":
                self.name = json.loads(name) if name.startswith('"') else name
            case "size":
                default = int(f["default"]) if f["default"] else None
                derived = parse_size(f["derived"]) if f["derived"] else None
                self.sizes.append(SizeDeclaration(name, default, derived))
            case "count":
                self.counts.append((name, int(f["value"])))
            case "whole":
                self.whole.append(parse_size(f["size"]))
            case "input":
                self.inputs.append(Input(name, shape, note))
            case "state":
                first, after = int(f["first"]), int(f["next"])
                self.states.append(State(name, shape, first, after, note))
            case "weight" | "bias":
                self.parameters.append(Parameter(name, shape, word, init, note))
            case "constant":
                self.constants.append(Constant(name, shape, int(f["init"]), note))
            case "value":
                self.values.append(Value(name, int(f["node"]), note))
            case _:
                self.output = int(f["node"])

    def graph(self) -> Graph:
        return Graph(
            name=self.name,
            nodes=tuple(self.nodes),
            sizes=tuple(self.sizes),
            counts=tuple(self.counts),
            inputs=tuple(self.inputs),
            states=tuple(self.states),
            parameters=tuple(self.parameters),
            constants=tuple(self.constants),
            values=tuple(self.values),
            output=self.output,
            whole=tuple(self.whole),
        )


def _fields(form: str, text: str) -> dict[str, str]:
    match = re.fullmatch(form, text)
    if match is None:
        raise ValueError(f"not of the form {form}")
    return match.groupdict()


def _node(fields: dict[str, str]) -> Node:
    args = tuple(int(arg[1:]) for arg in fields["args"].split())
    attr = _parse_attr(fields["attr"]) if fields["attr"] else None
    return Node(fields["op"], args, _parse_shape(fields["shape"]), attr)
